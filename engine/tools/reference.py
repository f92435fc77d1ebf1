"""The tools of agents as a document: `python -m engine.tools.reference > docs/tools.md`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, get_args

from engine.connectors.web.servers import WebOptions, web_tools
from engine.domain.outcomes import Outcome
from engine.ports import AgentRole, OutsideTool, ToolSpec
from engine.tools import SEARCHED, TOOLS, Tool

HEAD = """# The tools of agents

Generated from the code (`python -m engine.tools.reference > docs/tools.md`); a test holds it current.

Names, arguments and results are an interface: renaming one is a breaking change. Every call has a text \
for the model and a typed outcome for the engine, which never reads the text. A call that is refused says \
what to do instead. Schemas use only keywords that every model provider takes.
"""

WEB = """## The web

With the web switched on (`WEB`, the extra `[web]`). [connectors.md](connectors.md) says which addresses \
`read_page` takes.
"""

OUTSIDE = """## Tools of the world outside

Tools of the servers in `mcp.json` are called `<server>__<tool>`, with the arguments that the server names \
([connectors.md](connectors.md)). With more of them than `OUTSIDE_TOOLS_SHOWN`, an agent gets these two:
"""


def reference() -> str:
    """Return the document."""
    parts = [HEAD, *(_section(tool) for tool in TOOLS.values())]
    parts += [WEB, *(_outside(tool) for tool in reversed(web_tools(WebOptions(), searches=True)))]
    parts += [OUTSIDE, *(_section(tool, "###") for tool in SEARCHED.values()), _outcomes()]
    return "\n".join(parts)


def _section(tool: Tool[Any], mark: str = "##") -> str:
    return _described(tool.spec(), tool.roles, mark)


def _outside(tool: OutsideTool) -> str:
    spec = ToolSpec(tool.name, tool.description, tool.parameters)
    return _described(spec, frozenset(tool.policies), "###")


def _described(spec: ToolSpec, whose: frozenset[AgentRole], mark: str) -> str:
    roles = [role for role in get_args(AgentRole) if role in whose]
    required = set(spec.parameters.get("required", ()))
    rows = [
        f"| `{name}`{'' if name in required else ' (optional)'} | {_kind(one)} | {_about(one)} |"
        for name, one in spec.parameters.get("properties", {}).items()
    ]
    table = ["| Argument | Type | |", "|---|---|---|", *rows] if rows else ["No arguments."]
    return "\n".join(
        [f"{mark} `{spec.name}`", "", f"{spec.description} For: {', '.join(roles)}.", "", *table, ""]
    )


def _kind(node: Mapping[str, Any]) -> str:
    if "anyOf" in node:
        return " or ".join(_kind(one) for one in node["anyOf"])
    if node.get("type") == "array":
        return f"list of {_kind(node.get('items', {}))}"
    if node.get("enum"):
        return " or ".join(f"`{one}`" for one in node["enum"])
    if node.get("properties"):
        return f"object ({', '.join(f'`{name}`' for name in node['properties'])})"
    return str(node.get("type", "any"))


_LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
}


def _about(node: Mapping[str, Any]) -> str:
    limits = [said.format(node[name]) for name, said in _LIMITS.items() if node.get(name)]
    limits = [said.replace(" 1 items", " 1 item").replace(" 1 characters", " 1 character") for said in limits]
    text = "; ".join(part for part in (node.get("description", ""), ", ".join(limits)) if part)
    return text.replace("|", "\\|").replace("\n", " ")


def _outcomes() -> str:
    rows = [f"- **{kind.__name__}**: {_first_sentence(kind.__doc__)}" for kind in get_args(Outcome)]
    return "\n".join(["## Outcomes", "", *rows, ""])


def _first_sentence(text: str | None) -> str:
    return " ".join((text or "").split()).split(". ")[0].rstrip(".") + "."


if __name__ == "__main__":
    sys.stdout.write(reference())
