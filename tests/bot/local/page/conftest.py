"""The page in a real browser, one for each module: starting it takes longer than most of these tests."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.bot.local.conftest import House, running_house

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Headless Chromium, Debian's if there is one, else playwright's own."""
    async with async_playwright() as playwright:
        found = shutil.which("chromium")
        launched = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="module")
async def house() -> AsyncIterator[House]:
    """The local Discord with the small bot connected, in the browser's event loop."""
    async with running_house() as connected:
        yield connected


@pytest_asyncio.fixture(loop_scope="module")
async def page(house: House, browser: Browser) -> AsyncIterator[Page]:
    """The page, open at the lobby; no error and no refused content may show in its console."""
    opened = await browser.new_page(viewport={"width": 1100, "height": 800})
    trouble: list[str] = []
    opened.on("pageerror", lambda error: trouble.append(str(error)))
    opened.on("console", lambda m: trouble.extend([m.text] if m.type == "error" else []))
    await opened.goto(house.local.page_url)
    await expect(opened.locator("#channel-name")).to_have_text("lobby")
    yield opened
    await opened.close()
    # What a restarting server leaves in the console is no fault of the page.
    assert [text for text in trouble if "net::ERR_" not in text] == []


async def pick(page: Page, command: str) -> None:
    """Type a slash command's name and take it from the picker."""
    await page.locator("#composer-text").fill(f"/{command}")
    await expect(page.locator(".picker li.active")).to_contain_text(command)
    await page.keyboard.press("Enter")


async def open_channel(page: Page, name: str) -> None:
    """Go to a channel by its row on the left."""
    await page.locator(".channel", has_text=name).click()
    await expect(page.locator("#channel-name")).to_have_text(name)
