"""Reactions as verbs, clicked on the page at the width of a desk and of a phone, by people with roles."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress

import pytest
from playwright.async_api import Browser, Locator, Page, async_playwright, expect
from playwright.async_api import TimeoutError as PlaywrightTimeout

from bot.app.bootstrap import RunningBot
from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from tests.bot.local.page.conftest import FLAGS
from tests.flows.conftest import Start
from tests.flows.team import team
from tests.flows.test_task_on_discord import GOAL, command, ended, post_with, you

SIZES = {"desk": (1100, 800), "phone": (390, 844)}
PATIENCE_MS = 30_000
PLAN = {
    "summary": "Two parts, each checked.",
    "groups": ["makers: Ada and Bo"],
    "agents": 3,
    "tokens": 9_000,
    "minutes": 4,
}


class Crew:
    """The team of two whose boss first proposes a plan; members wait until `go` is set."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self, request: ChatRequest) -> ChatAnswer:
        """Answer as the agent that is asked."""
        said = "\n".join(message.content for message in request.messages)
        if request.role == "boss" and "approved your plan" not in said:
            proposed = any(made.name == "propose_plan" for m in request.messages for made in m.tool_calls)
            return say("Waiting.") if proposed else call(("propose_plan", PLAN))
        if request.role == "member":
            await self.go.wait()
        return team(request)


async def page_of(browser: Browser, product: RunningBot, size: str, name: str = "", role: str = "") -> Page:
    """Open the page at a size; with a name, become this person with the role by the page's own window."""
    assert product.local is not None
    phone = size == "phone"
    width, height = SIZES[size]
    context = await browser.new_context(
        viewport={"width": width, "height": height}, has_touch=phone, is_mobile=phone
    )
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    await page.goto(product.local.page_url)
    await expect(page.locator("#channel-name")).to_have_text("lobby", timeout=PATIENCE_MS)
    if name:
        await show_channels(page)
        await page.locator("#people-open").click()
        known = page.locator(".people button", has_text=name)
        if await known.count():
            await known.click()
        else:
            await page.locator("#person-name").fill(name)
            await page.locator("#person-role").fill(role)
            await page.get_by_role("button", name="Add and switch").click()
        await expect(page.locator("#my-name")).to_have_text(name, timeout=PATIENCE_MS)
    return page


def is_phone(page: Page) -> bool:
    """Whether a page is as wide as a phone."""
    return page.viewport_size is not None and page.viewport_size["width"] < 600


async def press(page: Page, what: Locator, within_ms: float = PATIENCE_MS) -> None:
    """Press something by mouse, or by finger: a phone has no pointer that stays where it was."""
    await (what.tap(timeout=within_ms) if is_phone(page) else what.click(timeout=within_ms))


async def show_channels(page: Page) -> None:
    """Show the list of channels, which is a drawer on a phone."""
    if not await page.locator("#channels").is_visible():
        await press(page, page.get_by_label("Show channels"))
    await expect(page.locator("#channels")).to_be_visible()


async def go_to(page: Page, row: str) -> None:
    """Open a channel by its row, given as a selector."""
    await show_channels(page)
    await press(page, page.locator(row))
    await expect(page.locator(f"{row}.here")).to_have_count(1, timeout=PATIENCE_MS)
    if is_phone(page):
        await expect(page.locator("#channels")).to_be_hidden(timeout=PATIENCE_MS)


async def react(page: Page, words: str, emoji: str) -> None:
    """Add a reaction to a message by its tools, by mouse or finger."""
    message = page.locator(".message", has_text=words).last
    await expect(message).to_be_visible(timeout=PATIENCE_MS)
    said, add = message.locator(".text").first, message.get_by_label("Add reaction")
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while True:  # what is posted meanwhile moves the message from under the pointer
            await (said.tap() if is_phone(page) else message.hover())
            with suppress(PlaywrightTimeout):
                await press(page, add, 1_000)
                break
    await press(page, page.get_by_role("menuitem", name=emoji, exact=True))
    await expect(message.locator(".reaction", has_text=emoji)).to_have_count(1, timeout=PATIENCE_MS)


async def told(page: Page, words: str) -> None:
    """The newest direct message of the bot, read on the page, holds these words."""
    here = await page.locator(".channel.here").get_attribute("data-id")
    await go_to(page, ".channel[title=MegaAgent]")
    await expect(page.locator(".message").last).to_contain_text(words, timeout=PATIENCE_MS)
    await go_to(page, f".channel[data-id='{here}']")


@pytest.mark.soak
async def test_a_reaction_does_what_its_button_does_for_those_who_may(start: Start) -> None:
    """✅ approves, ⏸️ pauses, 🔁 resumes and offers to continue, ❓ explains; others are told why not."""
    crew = Crew()
    async with start(crew, plan_approval_over=1) as product, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        sam = await page_of(browser, product, "desk", "Sam", "Editors")
        robin = await page_of(browser, product, "phone", "Robin", "Readers")
        assert product.local is not None
        roles = product.local.world.guilds[you(product).guild_id].roles
        editors = next(str(role.id) for role in roles.values() if role.name == "Editors")
        await command(product, "setup", steer=editors, approve=editors, start=editors)
        await command(product, "task new", goal=GOAL)
        asked = await post_with(product, "Do you approve this plan?")
        place = f".channel[data-id='{asked['channel_id']}']"
        for page in (sam, robin):
            await go_to(page, place)

        await react(robin, "Do you approve this plan?", "✅")
        await told(robin, "You are not allowed to answer questions of this task.")
        assert (await product.engine.engine.look.task(1)).open_gates == 1
        await react(sam, "Do you approve this plan?", "✅")
        await told(sam, "Accepted for task #1.")

        words = "I split this into code and a check."
        await react(robin, words, "⏸")
        await told(robin, "You are not allowed to steer this task.")
        await react(sam, words, "⏸")
        await told(sam, "Boss is paused.")
        await react(robin, words, "❓")
        await told(robin, "Why Boss said that")
        await react(sam, words, "🔁")
        await told(sam, "Boss has been resumed.")

        # The same two at the other width.
        sam_away = await page_of(browser, product, "phone", "Sam")
        robin_in = await page_of(browser, product, "desk", "Robin")
        for page in (sam_away, robin_in):
            await go_to(page, place)
        crew.go.set()
        await ended(product)
        await react(sam_away, "add works and is checked.", "🔁")
        await told(sam_away, "Press Continue to resume it in the same channels")
        await react(robin_in, "add works and is checked.", "🔁")
        await told(robin_in, "Press Continue to resume it in the same channels")
        await react(sam_away, "add works and is checked.", "❓")
        await told(sam_away, "Why Boss said that")
        await browser.close()
