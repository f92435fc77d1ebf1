"""The page keeps its place, fits a phone, and lives through load, restarts and an absent bot."""

from __future__ import annotations

import asyncio
import re
from io import BytesIO
from typing import Any

import discord
import pytest
from playwright.async_api import Browser, Page, expect

from tests.bot.local.conftest import House, close_bot, run_bot
from tests.bot.local.page.conftest import open_channel, pick
from tests.bot.local.smallbot import PNG, Card, card_files

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_reload_keeps_place_and_draft(page: Page, house: House) -> None:
    """After a reload the channel, the draft, the theme and what has been read are as before."""
    channel = await house.bot.guilds[0].create_text_channel("side")
    await channel.send("one")
    await open_channel(page, "side")
    await expect(page.locator(".message")).to_contain_text("one")
    await page.locator("#composer-text").fill("half a thou")
    await page.locator("#theme").click()
    await page.locator("#theme").click()
    await page.reload()
    await expect(page.locator("#channel-name")).to_have_text("side")
    await expect(page.locator("#composer-text")).to_have_value("half a thou")
    assert await page.evaluate("document.documentElement.dataset.theme") == "light"
    await open_channel(page, "lobby")
    await channel.send("two")
    await expect(page.locator(".channel.unread")).to_have_text("side")
    await page.reload()
    await expect(page.locator(".channel.unread")).to_have_text("side")
    await open_channel(page, "side")
    await expect(page.locator(".divider.unread")).to_be_visible()


async def test_keyboard_alone(page: Page, house: House) -> None:
    """Ctrl+K switches channels, arrows walk the list, Escape comes back to the message box."""
    await house.bot.guilds[0].create_text_channel("workshop")
    await page.locator(".channel", has_text="workshop").wait_for()
    await page.keyboard.press("Control+k")
    await page.keyboard.type("works")
    await expect(page.get_by_role("option")).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(page.locator("#channel-name")).to_have_text("workshop")
    await page.keyboard.type("from the keyboard")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message")).to_contain_text("from the keyboard")
    await page.keyboard.press("Shift+ArrowUp")
    await expect(page.locator(".message")).to_be_focused()
    await page.keyboard.press("r")
    await expect(page.locator(".replying")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator(".replying")).to_be_hidden()
    names = await page.locator("button:not([aria-label])").evaluate_all(
        "nodes => nodes.filter(n => !n.textContent.trim()).map(n => n.outerHTML)"
    )
    assert names == [], "buttons without a name"


async def test_a_reaction_by_keyboard_leads_back_to_its_message(page: Page, house: House) -> None:
    """Whoever picks one without a mouse goes on from where they were."""
    await house.lobby.send("Which colour?")
    await expect(page.locator(".message", has_text="Which colour?")).to_be_visible()
    await page.locator("#composer-text").focus()
    for key in ("Shift+ArrowUp", "Enter", "ArrowDown", "Enter", "Enter"):
        await page.keyboard.press(key)
    await expect(page.locator(".reaction.mine")).to_have_count(1)
    await expect(page.locator(".message", has_text="Which colour?")).to_be_focused()


async def test_phone_in_light(house: House, browser: Browser) -> None:
    """At 360 pixels nothing overflows, the channels are a drawer, the colours are light."""
    await house.lobby.send(view=Card("A card on a phone"), files=card_files())
    hook = await house.lobby.create_webhook(name="agents")
    await hook.send("word " * 60 + "\n```\n" + "x" * 300 + "\n```", username="Ada")
    context = await browser.new_context(viewport={"width": 360, "height": 700}, color_scheme="light")
    page = await context.new_page()
    await page.goto(house.local.page_url)
    await expect(page.locator(".card")).to_be_visible()
    assert await page.evaluate("document.scrollingElement.scrollWidth") <= 360
    wide = await page.locator("#messages *").evaluate_all(
        "nodes => nodes.filter(n => n.getBoundingClientRect().right > 361).map(n => n.className)"
    )
    assert wide == []
    spoke = page.locator(".message", has_text="word word")
    await spoke.hover()
    name, tools = (
        await spoke.locator(".headline .name").bounding_box(),
        await spoke.locator(".tools").bounding_box(),
    )
    assert name is not None and tools is not None and tools["y"] >= name["y"] + name["height"]
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    await expect(page.locator("#channels")).to_be_hidden()
    await page.get_by_label("Show channels").click()
    await page.locator(".channel", has_text="lobby").click()
    await expect(page.locator("#channels")).to_be_hidden()
    await context.close()


async def test_a_preview_on_a_phone_keeps_its_lines(house: House, browser: Browser) -> None:
    """A file's lines are shown as they are and scrolled, so that a picture of characters stays one."""
    wide = discord.File(BytesIO(b"+" + b"-" * 200 + b"+\n| MIA |\n"), "wide.txt")
    sent = await house.lobby.send("the end", file=wide)
    context = await browser.new_context(viewport={"width": 360, "height": 700})
    page = await context.new_page()
    await page.goto(house.local.page_url)
    message = page.locator(f".message[data-id='{sent.id}']")
    await message.locator(".preview summary").click()
    lines = message.locator(".preview pre")
    await expect(lines).to_contain_text("MIA")
    assert await lines.evaluate("node => node.scrollWidth > node.clientWidth && node.clientHeight < 90")
    assert await page.evaluate("document.scrollingElement.scrollWidth") <= 360
    await context.close()


async def test_an_answer_is_never_out_of_sight(house: House, browser: Browser) -> None:
    """What a person is told after an act on an older message is on the screen, a long answer from its start,
    and so is an answer that comes later; on a phone too."""
    you, lobby = house.local.you, house.lobby.id
    for number in range(40):
        await you.send(lobby, f"line {number} " + "and more of it " * 12)
    context = await browser.new_context(viewport={"width": 360, "height": 640})
    page = await context.new_page()
    await page.goto(house.local.page_url)
    old = page.locator(".message:not(.ephemeral)", has_text="line 3 and")
    await old.scroll_into_view_if_needed()
    for _ in range(2):
        await old.click(button="right", position={"x": 60, "y": 30})
        await page.get_by_role("menuitem", name="Why?").click()
        answer = page.locator(".message.ephemeral", has_text="because of line 3 and").last
        await expect(answer).to_be_in_viewport(ratio=1)
        await old.scroll_into_view_if_needed()
        await expect(answer).not_to_be_in_viewport()
    await pick(page, "slow")
    await page.keyboard.type("reason " * 270)
    await page.keyboard.press("Enter")
    long = page.locator(".message.ephemeral", has_text="late, but here")
    await expect(long.get_by_text("late, but here")).to_be_in_viewport()
    box = await long.bounding_box()
    assert box is not None and box["height"] > 500 and box["y"] >= 0
    await context.close()


async def test_many_messages_stay_light(page: Page, house: House) -> None:
    """A thousand messages in many channels leave the page with a bounded list, at the newest."""
    world = house.local.world
    channels = [world.create_channel(house.local.guild_id, f"c{n}").id for n in range(20)]
    hooks = [world.create_webhook(c, "agents", world.bot_user.id) for c in [house.lobby.id, *channels]]
    for n in range(1000):
        hook = hooks[0] if n % 2 else hooks[n % len(hooks)]
        world.create_message(
            hook.channel_id, hook.id, f"line {n}", webhook_id=hook.id, author_name=f"Agent {n % 59}"
        )
    await expect(page.locator(".message", has_text="line 999")).to_be_in_viewport()
    assert await page.locator(".message").count() <= 260
    assert await page.locator(".channel.unread").count() >= 19
    await page.locator("#scroller").evaluate("node => { node.scrollTop = 0; }")
    await expect(page.locator(".message").nth(290)).to_be_attached()


async def test_server_restart_is_survived(page: Page, house: House) -> None:
    """The page says that the connection is lost, and is live again by itself."""
    await house.local.restart(down_for=0.3)
    await expect(page.locator("#offline")).to_be_visible()
    await expect(page.locator("#offline")).to_be_hidden(timeout=8000)
    await house.local.you.send(house.lobby.id, "back again")
    await expect(page.locator(".message", has_text="back again")).to_be_visible()


async def test_a_refused_page_says_why_and_is_let_in_again(house: House, browser: Browser) -> None:
    """Without its key the page says what to open; with it again, all goes on, an edit too."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(house.local.page_url)
    await house.local.you.send(house.lobby.id, "Blue")
    await expect(page.locator(".message", has_text="Blue")).to_be_visible()
    await page.locator("#composer-text").focus()
    await page.keyboard.press("ArrowUp")
    await page.locator("textarea.edit").fill("Green")
    key: Any = await context.cookies()
    await context.clear_cookies()
    await house.local.restart(down_for=0.3)
    await expect(page.locator("#offline")).to_be_visible()
    await expect(page.locator(".toast", has_text="Open the whole address")).to_be_visible(timeout=10000)
    await context.add_cookies(key)
    await expect(page.locator("#offline")).to_be_hidden(timeout=10000)
    await expect(page.locator("textarea.edit")).to_have_value("Green")
    await house.local.you.send(house.lobby.id, "back again")
    await expect(page.locator(".message", has_text="back again")).to_be_visible()
    await context.close()


async def test_a_stopped_bot_is_named(page: Page, house: House) -> None:
    """What cannot be sent stays in the box, with the reason and what to look at; typing on says nothing."""
    away = asyncio.create_task(house.local.restart(down_for=3))
    await expect(page.locator("#offline")).to_be_visible()
    await page.locator("#composer-text").fill("precious")
    await page.keyboard.press("Enter")
    await expect(page.locator(".toast")).to_have_text(re.compile("bot cannot be reached.*still running"))
    await expect(page.locator("#composer-text")).to_have_value("precious")
    await away
    await expect(page.locator("#offline")).to_be_hidden(timeout=8000)
    await page.keyboard.press("Enter")
    await expect(page.locator(".message", has_text="precious")).to_be_visible()


async def test_many_tabs_work_at_once(house: House, browser: Browser) -> None:
    """Each tab may be another person: the eighth one opens, sends, and is told what the others say."""
    context = await browser.new_context()
    first = await context.new_page()
    await first.goto(house.local.page_url)
    for _ in range(7):
        tab = await context.new_page()
        await tab.goto(house.local.base_url)
        await expect(tab.locator("#channel-name")).to_have_text("lobby")
    await tab.locator("#composer-text").fill("from the eighth")
    await tab.keyboard.press("Enter")
    for one in (first, tab):
        await expect(one.locator(".message", has_text="from the eighth")).to_be_visible()
    await context.close()


async def test_notice_and_thinking(page: Page, house: House) -> None:
    """The product's line shows, can be put away, and a deferred answer shows as thinking."""
    house.local.notice = "A small local model. Set MODEL_URL for a stronger one."
    await expect(page.locator("#banner")).to_contain_text("small local model")
    await page.get_by_label("Dismiss this notice").click()
    await page.reload()
    await expect(page.locator("#channel-name")).to_have_text("lobby")
    await expect(page.locator("#banner")).to_be_hidden()
    record = house.local.world.new_interaction(2, house.lobby.id, house.local.you.id, house.local.guild_id)
    metadata = {
        "id": str(record.id),
        "type": 2,
        "user": {"id": str(house.local.you.id), "username": "you"},
        "name": "x",
    }
    house.local.world.create_message(
        house.lobby.id, house.local.world.bot_user.id, flags=128, interaction_metadata=metadata
    )
    await expect(page.locator(".thinking")).to_contain_text("is thinking")


async def test_faces_and_emojis(page: Page, house: House) -> None:
    """An emoji of the application shows as a persona's face, in a text, a reaction and an embed."""
    emoji = await house.bot.create_application_emoji(name="ada", image=PNG)
    hook = await house.lobby.create_webhook(name="agents")
    embed = discord.Embed(description="x").set_author(name="Ada", icon_url=emoji.url)
    sent = await hook.send(f"hi {emoji}", username="Ada", avatar_url=emoji.url, embed=embed, wait=True)
    await (await house.lobby.fetch_message(sent.id)).add_reaction(emoji)
    shown = page.locator(f"#messages img[src='/cdn/emojis/{emoji.id}.png']")
    await expect(shown).to_have_count(4)
    for index in range(4):
        await expect(shown.nth(index)).to_have_js_property("naturalWidth", 1)
    await hook.send("no face of its own", username="Bob", avatar_url="https://faces.example/bob.png")
    await expect(page.locator(".message", has_text="no face").locator("> .face")).to_have_text("B")


async def test_absent_bot_is_said(page: Page, house: House) -> None:
    """While the bot is away the page says so, and stops as soon as it is back."""
    await close_bot(house)
    await expect(page.locator("#away")).to_contain_text("not connected yet")
    back = await run_bot(house.local)
    await expect(page.locator("#away")).to_be_hidden()
    await close_bot(back)


async def test_clicks_survive_constant_change(page: Page, house: House) -> None:
    """Buttons and channels can be pressed while their message and the list change all the time."""
    world = house.local.world
    side = world.create_channel(house.local.guild_id, "side")
    hook = world.create_webhook(side.id, "agents", world.bot_user.id)
    message = await house.lobby.send(view=Card("Busy"), files=card_files())
    await page.locator(".card").wait_for()

    async def change() -> None:
        for n in range(400):
            fields = {"components": world.get_message(house.lobby.id, message.id).components}
            world.edit_message(house.lobby.id, message.id, fields)
            world.create_message(side.id, hook.id, f"line {n}", webhook_id=hook.id)
            await asyncio.sleep(0.02)

    busy = asyncio.create_task(change())
    opener = page.locator(".card").get_by_role("button", name="Follow")
    await opener.hover()
    await page.mouse.down()
    await page.wait_for_timeout(150)
    await page.mouse.up()
    await page.wait_for_timeout(400)
    await page.get_by_role("option", name="All").click()
    await expect(page.locator(".message.ephemeral")).to_contain_text("following all")
    await page.locator(".channel", has_text="side").hover()
    await page.mouse.down()
    await page.wait_for_timeout(150)
    await page.mouse.up()
    await expect(page.locator("#channel-name")).to_have_text("side")
    busy.cancel()
