"""The page in a real browser: what a person sees and does."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import discord
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.bot.local.conftest import House, close_bot, run_bot, running_house
from tests.bot.local.smallbot import PNG, Card, card_files

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


# One browser for the whole module: starting it takes longer than most of these tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")


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
    opened.on("console", lambda m: m.type == "error" and trouble.append(m.text))
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


async def test_start_a_task_and_watch_it(page: Page, tmp_path: Path) -> None:
    """A command by the picker, with autocomplete and a file; channels appear; the answer is there."""
    spec = tmp_path / "spec.txt"
    spec.write_text("12345")
    await pick(page, "task new")
    await page.keyboard.type("snake")
    await page.get_by_role("button", name="+ kind").click()
    await page.locator("#suggestions li", has_text="Bugfix").wait_for()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator("#option-kind")).to_have_value("Bugfix")
    await page.get_by_role("button", name="+ spec").click()
    await page.locator("#option-spec").set_input_files(spec)
    await page.get_by_role("button", name="Send the command").click()

    answer = page.locator(".message", has_text="started bugfix 5 in #planning")
    await expect(answer.locator(".above")).to_contain_text("You used /task new")
    await expect(page.locator(".group")).to_contain_text("task snake")
    await expect(page.locator(".channel.thread")).to_have_text("coders")
    await expect(page.locator(".channel.unread", has_text="planning")).to_be_visible()
    await answer.get_by_role("button", name="#planning").click()
    persona = page.locator(".message", has_text="I have a plan.")
    await expect(persona.locator(".name")).to_have_text("Ada")
    await expect(persona.locator(".tag")).to_have_text("APP")
    await expect(page.locator(".channel.unread", has_text="planning")).to_have_count(0)


async def test_missing_option_and_silence_are_said(page: Page, house: House) -> None:
    """A required option left out is asked for; a command nobody answers says so."""
    await pick(page, "task new")
    await page.keyboard.press("Enter")
    await expect(page.locator(".hint")).to_contain_text("required")
    await page.keyboard.press("Escape")
    await expect(page.locator("#composer-text")).to_be_focused()
    await pick(page, "silent")
    await page.get_by_role("button", name="Send the command").click()
    await expect(page.locator(".sending")).to_contain_text("did not respond", timeout=8000)


async def test_reply_react_edit_delete(page: Page, house: House) -> None:
    """A person replies to a persona, reacts, edits and deletes, by mouse and keyboard."""
    hook = await house.lobby.create_webhook(name="agents")
    await hook.send("Which colour?", username="Ada")
    persona = page.locator(".message").first
    await expect(persona).to_contain_text("Which colour?")
    await persona.hover()
    await persona.get_by_label("Reply").click()
    await expect(page.locator(".replying")).to_contain_text("Replying to Ada")
    await page.keyboard.type("Blue, **please**")
    await page.keyboard.press("Enter")
    mine = page.locator(".message", has_text="Blue, please")
    await expect(mine.locator(".above")).to_contain_text("Which colour?")
    await expect(mine.locator("strong")).to_have_text("please")
    await persona.hover()
    await persona.get_by_label("Add reaction").click()
    await page.get_by_role("menuitem", name="🎉").click()
    await expect(persona.locator(".reaction.mine")).to_have_text("🎉1")
    await page.locator("#composer-text").focus()
    await page.keyboard.press("ArrowUp")
    await page.locator("textarea.edit").fill("Green")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message", has_text="Green").locator(".edited")).to_be_visible()
    await page.locator(".message", has_text="Green").click(button="right")
    await page.get_by_role("menuitem", name="Delete message").click()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await expect(page.locator(".message", has_text="Green")).to_have_count(0)
    assert [m["content"] for m in house.local.you.history(house.lobby.id)] == ["Which colour?"]


async def test_button_menu_and_card(page: Page, house: House) -> None:
    """Buttons and menus in a card reach the bot; a button nobody answers says that it failed."""
    await house.lobby.send(view=Card("Build"), files=card_files())
    card = page.locator(".card")
    await expect(card.locator("h4")).to_have_text("Build")
    await expect(card.locator("img.thumbnail")).to_have_js_property("naturalWidth", 1)
    await card.get_by_role("button", name="Follow").click()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message.ephemeral")).to_contain_text("following off")
    await expect(card.locator(".select-label")).to_have_text("Off")
    await pick(page, "task new")
    await page.keyboard.type("snake")
    await page.keyboard.press("Enter")
    await open_channel(page, "planning")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("button", name="Resume")).to_be_visible()
    await expect(page.locator(".message", has_text="paused")).to_be_visible()


async def test_form(page: Page, tmp_path: Path) -> None:
    """A form opens, takes text, a choice and a file; the answer is for this person only."""
    paper = tmp_path / "paper.txt"
    paper.write_text("123")
    await pick(page, "ask")
    await page.keyboard.press("Enter")
    form = page.get_by_role("dialog", name="Ask an agent")
    await expect(form.get_by_label("Question")).to_be_focused()
    await form.get_by_role("button", name="Submit").click()
    await expect(form.get_by_role("alert")).to_contain_text("characters")
    await form.get_by_label("Question").fill("Why?")
    await form.locator(".select").click()
    await page.get_by_role("option", name="Calm").click()
    await form.get_by_label("Paper").set_input_files(paper)
    await form.get_by_role("button", name="Submit").click()
    answer = page.locator(".message.ephemeral", has_text="asked Why? Calm [3]")
    await expect(answer).to_contain_text("Only you can see this")
    await answer.get_by_role("button", name="Dismiss message").click()
    await expect(answer).to_have_count(0)


async def test_context_menu_command(page: Page, house: House) -> None:
    """A message's own commands are under Apps."""
    await house.local.you.send(house.lobby.id, "the reason")
    await page.locator(".message", has_text="the reason").click(button="right")
    await page.get_by_role("menuitem", name="Why?").click()
    await expect(page.locator(".message.ephemeral")).to_contain_text("because of the reason")


async def test_files_up_and_down(page: Page, house: House, tmp_path: Path) -> None:
    """An attached file arrives whole, shows a preview, and comes down again."""
    source = tmp_path / "notes.md"
    source.write_text("# notes\n")
    await page.locator("#composer-files").set_input_files(source)
    await expect(page.locator(".chips")).to_contain_text("notes.md")
    await page.locator("#composer-text").fill("take this")
    await page.keyboard.press("Enter")
    message = page.locator(".message", has_text="take this")
    await message.get_by_text("Preview").click()
    await expect(message.locator(".preview pre")).to_contain_text("# notes")
    async with page.expect_download() as coming:
        await message.get_by_role("link", name="notes.md", exact=True).click()
    saved = await (await coming.value).path()
    assert saved.read_text() == "# notes\n"
    await house.bot.pulse.until(lambda: bool(house.bot.heard), 5)
    assert await house.bot.heard[-1].attachments[0].read() == b"# notes\n"


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


INJECTION = """() => {
    window.tried = 0;
    const script = document.createElement('script');
    script.textContent = 'window.pwned = 1';
    const image = new Image();
    document.addEventListener('securitypolicyviolation', () => { window.tried += 1; });
    document.body.append(script, image);
    image.src = 'https://elsewhere.example/x.png';
}"""

ATTACKS = [
    "<script>document.title='x'</script><img src=x onerror=\"document.title='x'\">",
    "[click](javascript:document.title='x') <javascript:alert(1)> https://a.example/\"onmouseover=x",
    "```<img src=x onerror=document.title='x'>\n<svg/onload=document.title='x'>```",
    "**<b onclick=document.title='x'>**`<i>` ||<u>|| <@&1><@1><#1><t:99999999999999:R></a:1>",
    "\u202e\u200b" + "`" * 50 + "*" * 200 + "[" * 100,
]


async def test_what_models_write_is_inert(page: Page, house: House) -> None:
    """Markup in texts, names, embeds, buttons, files and channel names stays text."""
    evil = ATTACKS[0][:70]
    hook = await house.lobby.create_webhook(name="agents")
    for attack in ATTACKS:
        embed = discord.Embed(title=attack[:250], description=attack, url="https://a.example")
        embed.add_field(name=attack[:250], value=attack).set_footer(text=attack)
        embed.set_author(name=attack[:250]).set_image(url="https://a.example/x.png")
        view = discord.ui.View(timeout=None).add_item(discord.ui.Button(label=attack[:60], custom_id="x"))
        await hook.send(attack, username=evil, embed=embed, view=view)
    await house.lobby.edit(topic=evil)
    await house.bot.guilds[0].create_category(evil)
    house.local.notice = evil
    await expect(page.locator("#banner")).to_contain_text("<script>")
    await expect(page.locator(".embed")).to_have_count(len(ATTACKS))
    for selector in (
        "#messages script",
        "#messages [onerror]",
        "#messages img[src='x']",
        "[onclick]",
        "#messages b b",
        "a[href^='javascript']",
    ):
        assert await page.locator(selector).count() == 0, selector
    assert await page.title() != "x"


async def test_policy_stops_injected_script(house: House, browser: Browser) -> None:
    """Even if markup got in, the page's policy would not run it, nor load anything from elsewhere."""
    page = await browser.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    await page.goto(house.local.page_url)
    await page.evaluate(INJECTION)
    await page.wait_for_function("window.tried === 2")
    assert await page.evaluate("window.pwned") is None
    assert sum("Content Security Policy" in text for text in refused) == 2
    await page.close()


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
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    await expect(page.locator("#channels")).to_be_hidden()
    await page.get_by_label("Show channels").click()
    await page.locator(".channel", has_text="lobby").click()
    await expect(page.locator("#channels")).to_be_hidden()
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


async def test_mentions_and_changes_around_a_draft(page: Page, house: House) -> None:
    """@name and #channel become mentions; a role made meanwhile disturbs nothing being written."""
    await page.locator("#composer-text").fill("@MegaAgent look at #lobby, not at `@MegaAgent`")
    await page.locator("#composer-files").set_input_files(
        [{"name": "a.txt", "mimeType": "text/plain", "buffer": b"a"}]
    )
    await house.bot.guilds[0].create_role(name="steer")
    await expect(page.locator(".chips")).to_contain_text("a.txt")
    await expect(page.locator("#composer-text")).to_be_focused()
    await page.keyboard.press("Enter")
    sent = page.locator(".message .text")
    await expect(sent.locator(".mention")).to_have_text(["@MegaAgent", "#lobby"])
    await expect(sent.locator("code")).to_have_text("@MegaAgent")
    await house.bot.pulse.until(lambda: bool(house.bot.heard), 5)
    assert house.bot.user in house.bot.heard[-1].mentions
