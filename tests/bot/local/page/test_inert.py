"""Whatever models write stays text, and nothing from elsewhere is run or loaded."""

from __future__ import annotations

import discord
import pytest
from playwright.async_api import Browser, Page, expect

from tests.bot.local.conftest import House

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


@pytest.mark.parametrize(
    ("text", "selector", "shown"),
    [
        (
            "[https://good.example](https://evil.example)",
            ".line",
            ["[https://good.example](https://evil.example)"],
        ),
        ("[a wiki](https://w.example/A_(b))!", ".line a[href='https://w.example/A_(b)']", ["a wiki"]),
        ("see (https://w.example/A_(b)).", ".line a", ["https://w.example/A_(b)"]),
        ("> read\n> ```py\n> one\n> ```\n> on\nafter", "blockquote pre code", ["one"]),
        ("> read\n> ```py\n> one\n> ```\n> on\nafter", "blockquote > .line", ["read", "on"]),
        ("```py\n> no quote\n```\n> quote", "blockquote", ["quote"]),
        ("> > once", "blockquote", ["> once"]),
        (">>> all\n```\none\n```\nof it", "blockquote > .line", ["all", "of it"]),
    ],
)
async def test_links_and_quotes_are_shown_as_discord_shows_them(
    page: Page, house: House, text: str, selector: str, shown: list[str]
) -> None:
    """A link says where it leads; what is quoted, code too, stands in the quote."""
    sent = await house.local.you.send(house.lobby.id, text)
    message = page.locator(f".message[data-id='{sent['id']}']")
    await expect(message.locator(selector)).to_have_text(shown)


async def test_copying_is_said(page: Page, house: House) -> None:
    """A press on Copy says whether it worked."""
    await house.local.you.send(house.lobby.id, "```\none\n```")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy").click()
    await expect(page.locator(".toast")).to_have_text("Copied.")
    assert await page.evaluate("navigator.clipboard.readText()") == "one"
    await page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    await page.get_by_role("button", name="Copy").click()
    await expect(page.locator(".toast").last).to_contain_text("by hand")
