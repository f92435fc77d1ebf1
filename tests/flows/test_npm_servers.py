"""The reference servers from npm and the one for times, driven by a whole task through Discord."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engine.llm.scripted import call, say
from engine.ports import ChatAnswer, ChatRequest
from engine.store.core import OUTSIDE_CALLS
from tests.flows.conftest import Start
from tests.flows.test_connectors import config, module
from tests.flows.test_task_on_discord import command, ended, messages, post_with

PROGRAMS = Path(sys.prefix) / "node" / "node_modules" / ".bin"


def use(name: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    """A call to a tool that was searched for."""
    return "use_tool", {"name": name, "arguments": json.dumps(arguments)}


async def test_a_task_uses_the_reference_servers(start: Start, tmp_path: Path) -> None:
    """What only reads is called at once, over four servers; each change is made once its person agreed."""
    box, graph = tmp_path / "box", tmp_path / "graph.jsonl"
    box.mkdir()
    (box / "tea.txt").write_text("eighty degrees")
    reads = (
        use("time__convert_time", source_timezone="UTC", time="12:00", target_timezone="Asia/Tokyo"),
        use("everything__get-sum", a=20, b=22),
        use("files__read_text_file", path=str(box / "tea.txt")),
        use("memory__read_graph"),
    )
    tea = {"name": "tea", "entityType": "drink", "observations": ["eighty degrees"]}
    changes = (
        use("files__write_file", path=str(box / "new.txt"), content="by the agents"),
        use("memory__create_entities", entities=[tea]),
    )

    def script(request: ChatRequest) -> ChatAnswer:
        seen = "\n".join(message.content for message in request.messages)
        if seen.count("it was made") >= len(changes):
            return call(("finish", {"report": "All of it.", "deliverables": []}))
        steps = [call(("find_tool", {"query": "sum of two numbers"})), call(*reads), call(*changes)]
        made = sum(message.role == "assistant" for message in request.messages)
        return steps[made] if made < len(steps) else say("I wait for the people.")

    entry = {"env": {"MEMORY_FILE_PATH": str(graph)}}
    servers = config(
        tmp_path / "mcp.json",
        time=module("mcp_server_time"),
        everything={"command": str(PROGRAMS / "mcp-server-everything")},
        files={"command": str(PROGRAMS / "mcp-server-filesystem"), "args": [str(box)]},
        memory={"command": str(PROGRAMS / "mcp-server-memory"), **entry},
    )
    async with start(script, mcp_config=servers, web=False) as product:
        await command(product, "task new", goal="Use every server.")
        for what in ("May I call **write", "May I call **create"):
            asks = await post_with(product, what)
            assert not (box / "new.txt").exists() or what.endswith("create")
            assert product.local is not None
            await product.local.you.click(asks, "Allow this call")
        await ended(product)
        rows = await product.engine.database.read(lambda c: c.execute(sa.select(OUTSIDE_CALLS)).all())
        answers = {row.tool: row.result for row in rows}
        assert "21:00" in answers["convert_time"] and "42" in answers["get-sum"]
        assert "eighty degrees" in answers["read_text_file"] and "entities" in answers["read_graph"]
        assert all(row.state == "done" for row in rows)
        sources = [str(m) for m in messages(product) if "Outside sources read before:" in str(m)]
        assert any("files" in text and "memory" in text for text in sources)
    assert (box / "new.txt").read_text() == "by the agents"
    assert "eighty degrees" in graph.read_text()
