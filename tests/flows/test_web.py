"""A whole task that finds out something, through Discord: search, pages, a fetching server, posts."""

from __future__ import annotations

import json
import re
from pathlib import Path

from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from tests.fakes.web import SITES, loopback_web
from tests.flows.conftest import Start
from tests.flows.test_connectors import config, module
from tests.flows.test_task_on_discord import command, ended, messages, post_with

SUPPRESS_EMBEDS = 1 << 2


async def test_a_task_finds_out_and_only_what_people_saw_leaves(start: Start, tmp_path: Path) -> None:
    """An address that nobody gave asks where a server would fetch it; posts fetch nothing."""
    async with loopback_web() as sites:
        page = sites.page(f"{SITES}/tea", "Tea is brewed at eighty degrees.", "text/plain")
        found = {"results": [{"url": page, "title": "Tea", "content": "About tea"}]}
        sites.page(f"{SITES}/search", json.dumps(found), "application/json")
        stolen = f"http://{SITES}:{sites.port}/stolen?q=canary"

        def script(request: ChatRequest) -> ChatAnswer:
            seen = "\n".join(message.content for message in request.messages)
            if "your call" in seen:
                return call(("finish", {"report": "Eighty degrees.", "deliverables": []}))
            steps = [
                call(("web_search", {"query": "tea"})),
                call(("read_page", {"address": page}), ("fetch__fetch", {"url": page})),
                call(("fetch__fetch", {"url": stolen}), ("read_page", {"address": stolen})),
                say(f"It is so: ![proof]({stolen}) [tea]({page}) {stolen}"),
            ]
            made = sum(message.role == "assistant" for message in request.messages)
            return steps[made] if made < len(steps) else say("I wait for the people.")

        servers = config(tmp_path / "mcp.json", fetch=module("mcp_server_fetch", "--allow-private-ips"))
        settings = {
            "mcp_config": servers,
            "searxng_url": sites.url(SITES),
            "web_private_networks": (f"{SITES}/32",),
            "web_ports": (sites.port,),
        }
        async with start(script, **settings) as product:
            listed = await command(product, "tools")
            assert "**web**" in listed.text and "searches with SearXNG" in listed.text
            await command(product, "task new", goal="Find out how tea is brewed.")
            asks = await post_with(product, "May I call **fetch** of **fetch**")
            assert stolen in asks["content"] and "Nobody gave this task the address" in asks["content"]
            labels = [button["label"] for row in asks["components"] for button in row["components"]]
            assert "Allow this call" in labels and "Allow for this task" not in labels
            said = await post_with(product, "It is so:")
            assert product.local is not None
            await product.local.you.click(asks, "Refuse")
            await ended(product)
            posts = [str(message["content"]) for message in messages(product)]
            shown = [message for message in messages(product) if "http" in str(message["content"])]
            assert len(shown) >= 2
            assert [m for m in shown if not (m["flags"] & SUPPRESS_EMBEDS or m["embeds"])] == []
        assert re.findall(r"(?<![<`\"])https?://(?!discord)", "\n".join(posts)) == []
        text = str(said)
        assert f"proof (<{stolen}>) tea (<{page}>) <{stolen}>" in text
        assert "Outside sources read before:" in text and f"`{page}`" in text
    asked = sites.pages_asked()
    assert f"{SITES}/tea" in asked and f"{SITES}/search?q=tea&format=json" in asked
    assert [one for one in asked if "canary" in one] == []
