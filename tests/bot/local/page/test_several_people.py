"""The page as several people: each tab is one person with roles; unread mentions have a number."""

from __future__ import annotations

import discord
import pytest
from playwright.async_api import Browser, Page, expect

from tests.bot.local.conftest import House
from tests.bot.local.page.conftest import open_channel

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_tab_becomes_another_person_with_a_role(page: Page, house: House) -> None:
    """The owner adds Robin; what Robin writes is Robin's, and the owner's things are not Robin's."""
    await page.locator("#people-open").click()
    await page.locator("#person-name").fill("Robin")
    await page.locator("#person-role").fill("Editors")
    await page.get_by_role("button", name="Add and switch").click()
    await expect(page.locator("#my-name")).to_have_text("Robin")
    await expect(page.locator("#my-roles")).to_contain_text("Editors")
    await page.locator("#composer-text").fill("I am here too.")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message", has_text="I am here too.").locator(".name")).to_have_text("Robin")


async def test_an_unread_mention_has_a_number(page: Page, house: House, browser: Browser) -> None:
    """What notifies counts; a name in what notifies nobody does not, and is no highlight."""
    world, you = house.local.world, house.local.you
    other = world.create_channel(you.guild_id, "elsewhere")
    place = house.bot.get_partial_messageable(other.id)
    allowed = discord.AllowedMentions(users=True)
    await place.send(f"<@{you.id}> please look", allowed_mentions=allowed)
    await place.send(f"answered by <@{you.id}>", allowed_mentions=discord.AllowedMentions.none())
    row = page.locator(".channel", has_text="elsewhere")
    await expect(row.locator(".pings")).to_have_text("1")
    await other_topic(house, other.id)
    await expect(row).to_have_attribute("title", "another topic")
    await expect(row.locator(".pings")).to_have_text("1")
    await row.click()
    await expect(page.locator(".message.pinged")).to_have_count(1)
    await expect(row.locator(".pings")).to_have_count(0)


async def other_topic(house: House, channel_id: int) -> None:
    """Change a channel, so that the page is told of it again."""
    channel = await house.bot.fetch_channel(channel_id)
    assert isinstance(channel, discord.TextChannel)
    await channel.edit(topic="another topic")


async def test_the_bots_verbs_can_be_picked_as_reactions(page: Page, house: House) -> None:
    """They come first; what is picked stands below the message."""
    sent = await house.lobby.send("a result")
    await open_channel(page, "lobby")
    message = page.locator(f".message[data-id='{sent.id}']")
    for verb in ("❓", "⏸", "✅", "🔁"):
        await message.hover()
        await message.get_by_label("Add reaction").click()
        await page.get_by_role("menuitem", name=verb, exact=True).click()
        await expect(message.locator(".reaction", has_text=verb)).to_have_count(1)


async def test_a_first_direct_message_is_seen_at_once(page: Page, house: House) -> None:
    """Its row comes with it, with a number, and nothing in it is painted as a mention."""
    you = house.local.you
    member = house.bot.guilds[0].get_member(you.id) or await house.bot.guilds[0].fetch_member(you.id)
    await member.send("for you alone")
    row = page.locator(".channel", has_text=house.local.world.bot_user.name)
    await expect(row.locator(".pings")).to_have_text("1")
    await row.click()
    await expect(page.locator(".message", has_text="for you alone")).to_be_visible()
    await expect(page.locator(".message.pinged")).to_have_count(0)
