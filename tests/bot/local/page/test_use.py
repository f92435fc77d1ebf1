"""What a person does on the page: commands, replies, buttons, forms, files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import discord
import pytest
from playwright.async_api import Browser, FilePayload, Locator, Page, Route, expect

from tests.bot.local.conftest import House
from tests.bot.local.page.conftest import open_channel, pick
from tests.bot.local.smallbot import Card, card_files

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


async def test_picker_ranks_by_use(page: Page, house: House) -> None:
    """What starts a task is on top, a beginning before a middle, what was used before what was not."""
    names = page.locator(".picker .command-name")
    await page.locator("#composer-text").fill("/")
    await expect(names).to_have_text(["/task newgoal", "/ask", "/silent", "/slow"])
    await page.locator("#composer-text").fill("/sk")
    await expect(names).to_have_text(["/task newgoal", "/ask"])
    await pick(page, "slow")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message.ephemeral")).to_contain_text("late, but here")
    await page.locator("#composer-text").fill("/")
    await expect(names).to_have_text(["/task newgoal", "/slow", "/ask", "/silent"])
    await page.locator("#composer-text").fill("/s")
    await expect(names).to_have_text(["/slow", "/silent", "/task newgoal", "/ask"])
    await page.locator("#composer-text").fill("/new")
    await expect(names).to_have_text(["/task newgoal"])


async def test_writing_on_after_a_command_fills_its_first_text(page: Page) -> None:
    """No word is lost where every option may be left out."""
    await pick(page, "slow")
    await page.keyboard.type("no hurry")
    await expect(page.locator("#option-note")).to_have_value("no hurry")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message.ephemeral")).to_contain_text("late, but here no hurry")


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


async def test_a_slip_does_not_close_a_form(page: Page) -> None:
    """A press beside it, Escape or the cross closes an empty form; what was written goes with Cancel only."""
    form = page.get_by_role("dialog", name="Ask an agent")
    for leave in ("Escape", "beside", "cross"):
        await pick(page, "ask")
        await page.keyboard.press("Enter")
        await expect(form.get_by_label("Question")).to_be_focused()
        await _leave(page, leave)
        await expect(form).to_have_count(0)
        await pick(page, "ask")
        await page.keyboard.press("Enter")
        await form.get_by_label("Question").fill("a long thought")
        for _ in range(3):
            await _leave(page, leave)
        await expect(form.get_by_role("alert")).to_contain_text("not sent yet")
        await expect(form.get_by_label("Question")).to_have_value("a long thought")
        await form.get_by_role("button", name="Cancel").click()
        await expect(form).to_have_count(0)


async def _leave(page: Page, how: str) -> None:
    if how == "Escape":
        await page.keyboard.press("Escape")
    elif how == "beside":
        await page.mouse.click(5, 5)
    else:
        await page.get_by_role("dialog").get_by_label("Close").click()


async def test_a_link_to_a_message_goes_there(page: Page, house: House) -> None:
    """Discord's address of a message here is shown by its channel's name and leads there; others stay."""
    side = await house.bot.guilds[0].create_text_channel("side")
    target = await side.send("the question")
    away = "https://discord.com/channels/1/2/3"
    await house.lobby.send(f"answering {target.jump_url} and {away}")
    message = page.locator(".message", has_text="answering")
    await expect(message.get_by_role("link")).to_have_text(away)
    await message.get_by_role("button", name="Go to the message in #side").click()
    await expect(page.locator("#channel-name")).to_have_text("side")
    await expect(page.locator(".message", has_text="the question")).to_be_focused()


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


async def test_mentions_and_changes_around_a_draft(page: Page, house: House) -> None:
    """@name and #channel become mentions; a role made meanwhile disturbs nothing being written."""
    await page.locator("#composer-text").fill("@MegaAgent look at #lobby, not at `@MegaAgent`")
    await page.locator("#composer-files").set_input_files(
        [FilePayload(name="a.txt", mimeType="text/plain", buffer=b"a")]
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


async def test_the_tools_of_a_tapped_message_cover_no_words(house: House, browser: Browser) -> None:
    """They stand below its own words, above the next message, and in sight for the last one."""
    for text in ("one", "two", "three"):
        await house.lobby.send(f"{text} and no more")
    context = await browser.new_context(
        viewport={"width": 390, "height": 500}, has_touch=True, is_mobile=True
    )
    phone = await context.new_page()
    await phone.goto(house.local.page_url)
    for tapped, below in (("two", "three"), ("three", "")):
        message = phone.locator(".message", has_text=f"{tapped} and no more").last
        await message.locator(".text").tap()
        tools = message.locator(".tools")
        await expect(tools).to_have_css("opacity", "1")
        await expect(tools).to_be_in_viewport(ratio=1)
        box, words = await tools.bounding_box(), await message.locator(".text").bounding_box()
        assert box and words and box["y"] >= words["y"] + words["height"]
        if below:
            following = await phone.locator(".message", has_text=f"{below} and no more").last.bounding_box()
            assert following and box["y"] + box["height"] <= following["y"]
        else:
            composer = await phone.locator(".composer").bounding_box()
            assert composer and box["y"] + box["height"] <= composer["y"]
    await context.close()


async def test_a_button_is_pressed_by_the_first_tap(house: House, browser: Browser) -> None:
    """The room for the tools of a tapped message does not move its buttons from under the finger."""
    for number in range(8):
        await house.lobby.send(f"{number} and no more")
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button(label="Nobody answers", custom_id="nobody"))
    await house.lobby.send("And now?", view=view)
    context = await browser.new_context(
        viewport={"width": 390, "height": 500}, has_touch=True, is_mobile=True
    )
    phone = await context.new_page()
    await phone.goto(house.local.page_url)
    asked = phone.locator(".message", has_text="And now?").last
    await asked.get_by_role("button", name="Nobody answers").tap()
    await expect(asked.locator(".failed")).to_be_visible(timeout=8000)
    await context.close()


async def test_words_that_cannot_be_sent_are_not_lost(page: Page, house: House) -> None:
    """They come back before what was typed since, and as the draft of a channel that was left."""
    other = (await house.bot.guilds[0].create_text_channel("other")).name
    release = asyncio.Event()

    async def fails(route: Route) -> None:
        await release.wait()
        await route.fulfill(json={"error": "no room"})

    await page.route("**/page/act/send*", fails)
    box = page.locator("#composer-text")
    for since, left, kept in (
        ("", False, "first words"),
        ("typed since", False, "first words\ntyped since"),
        ("", True, "first words"),
    ):
        release.clear()
        await box.fill("first words")
        await page.keyboard.press("Enter")
        await expect(box).to_have_value("")
        if since:
            await box.fill(since)
        if left:
            await open_channel(page, other)
        release.set()
        await expect(page.locator(".toast", has_text="no room").last).to_be_visible()
        if left:
            await expect(page.locator("#channel-name")).to_have_text(other)
            await open_channel(page, "lobby")
        await expect(box).to_have_value(kept)
    await page.unroute("**/page/act/send*")


async def test_an_input_method_sends_nothing_and_emoji_are_one_character(page: Page, house: House) -> None:
    """Enter that ends a Japanese word runs no command; 1,500 emoji are no 3,000 characters."""
    await pick(page, "task new")
    field = page.locator(".option textarea").first
    await field.fill("日本")
    await field.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True})
    await expect(field).to_have_value("日本")
    await page.keyboard.press("Escape")
    await page.locator("#composer-text").fill("🙂" * 1500)
    await page.keyboard.press("Enter")
    await expect(page.locator(".message", has_text="🙂🙂")).to_be_visible()


async def test_an_edit_outlives_a_refusal_and_can_be_cancelled_without_a_keyboard(
    page: Page, house: House
) -> None:
    """What was typed stays until it is saved; a phone has no Escape."""
    await house.local.you.send(house.lobby.id, "Blue")
    await expect(page.locator(".message", has_text="Blue")).to_be_visible()
    await page.locator("#composer-text").focus()
    await page.keyboard.press("ArrowUp")
    edit = page.locator("textarea.edit")
    await page.route("**/page/act/edit*", lambda route: route.fulfill(json={"error": "not now"}))
    await edit.fill("Green")
    await page.keyboard.press("Enter")
    await expect(page.locator(".toast", has_text="not now")).to_be_visible()
    await expect(edit).to_have_value("Green")
    await page.unroute("**/page/act/edit*")
    await page.get_by_role("button", name="save").click()
    await expect(page.locator(".message", has_text="Green").locator(".edited")).to_be_visible()
    await page.locator("#composer-text").focus()
    await page.keyboard.press("ArrowUp")
    await page.get_by_role("button", name="cancel").click()
    await expect(edit).to_have_count(0)


async def test_a_command_that_was_begun_is_not_lost(page: Page, house: House) -> None:
    """What was written into a command outlives a channel, Escape, a reply, a stopped bot and a reload."""
    world, you = house.local.world, house.local.you
    world.create_channel(you.guild_id, "besides")
    goal = page.get_by_label("goal", exact=True)
    await pick(page, "task new")
    await goal.fill("a long thought")
    await open_channel(page, "besides")
    await expect(goal).to_have_count(0)
    await open_channel(page, "lobby")
    await expect(goal).to_have_value("a long thought")
    await expect(goal).to_be_focused()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Open it again").click()
    await expect(goal).to_have_value("a long thought")
    said = await house.lobby.send("answer me")
    await page.locator(f".message[data-id='{said.id}']").press("r")
    await page.get_by_role("button", name="Open it again").click()
    away = asyncio.create_task(house.local.restart(down_for=1))
    await expect(page.locator("#offline")).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.locator(".sending.failed")).to_contain_text("cannot be reached")
    await away
    await page.reload()
    await expect(goal).to_have_value("a long thought")


async def test_what_a_message_is_made_of_stays_with_its_channel(
    page: Page, house: House, tmp_path: Path
) -> None:
    """A look into another channel, or at a command's mention, costs neither reply nor files nor words."""
    paper = tmp_path / "paper.txt"
    paper.write_text("123")
    house.local.world.create_channel(house.local.you.guild_id, "aside")
    said = await house.lobby.send("who is it for? </slow:1>")
    message = page.locator(f".message[data-id='{said.id}']")
    await message.press("r")
    await page.locator("#composer-files").set_input_files(paper)
    await page.locator("#composer-text").fill("for you")
    await open_channel(page, "aside")
    await expect(page.locator(".replying")).to_be_hidden()
    await expect(page.locator(".chips li")).to_have_count(0)
    await open_channel(page, "lobby")
    await expect(page.locator(".chips li")).to_contain_text("paper.txt")
    await message.get_by_role("button", name="/slow").click()
    await page.keyboard.press("Escape")
    await page.locator(".channel.here").click()
    await expect(page.locator("#composer-text")).to_have_value("for you")
    await page.keyboard.press("Enter")
    sent = page.locator(".message", has_text="for you").last
    await expect(sent.locator(".above")).to_contain_text("who is it for?")
    await expect(sent).to_contain_text("paper.txt")
    await message.press("r")
    await page.locator("#composer-text").fill("once more")
    await page.reload()
    await expect(page.locator(".replying")).to_contain_text(house.bot.user.name if house.bot.user else "?")


async def test_an_edit_outlives_a_look_elsewhere(page: Page, house: House) -> None:
    """What was typed into an edit is there again when one comes back to its channel."""
    house.local.world.create_channel(house.local.you.guild_id, "elsewhere")
    await page.locator("#composer-text").fill("first")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message", has_text="first")).to_be_visible()
    await page.keyboard.press("ArrowUp")
    await page.locator("textarea.edit").fill("second thought")
    await open_channel(page, "elsewhere")
    await open_channel(page, "lobby")
    await expect(page.locator("textarea.edit")).to_have_value("second thought")


async def test_nothing_too_long_is_cut_in_silence(page: Page, house: House) -> None:
    """What is pasted into a command, a form or an edit stays whole, and one is told how much fits."""
    await pick(page, "task new")
    goal = page.get_by_label("goal", exact=True)
    await _paste(goal, "x" * 6001)
    await page.keyboard.press("Enter")
    await expect(page.locator(".hint")).to_contain_text("6001 characters; 6000 fit")
    await expect(goal).to_have_value("x" * 6001)
    await goal.fill("")
    await page.keyboard.press("Escape")
    await pick(page, "ask")
    await page.keyboard.press("Enter")
    form = page.get_by_role("dialog", name="Ask an agent")
    question = form.get_by_label("Question")
    await _paste(question, "y" * 4001)
    await form.get_by_role("button", name="Submit").click()
    await expect(form.get_by_role("alert")).to_contain_text("4000 characters; this has 4001")
    await expect(question).to_have_value("y" * 4001)
    await form.get_by_role("button", name="Cancel").click()
    await page.locator("#composer-text").fill("short")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message", has_text="short")).to_be_visible()
    await page.keyboard.press("ArrowUp")
    edit = page.locator("textarea.edit")
    await _paste(edit, "z" * 2001)
    await edit.press("Enter")
    await expect(page.locator(".toast")).to_contain_text("2000 characters; this has 2006")
    await expect(edit).to_have_value("short" + "z" * 2001)


async def _paste(field: Locator, text: str) -> None:
    """Insert text as a person does: an attribute of the field could cut it."""
    await field.press("End")
    await field.page.keyboard.insert_text(text)
