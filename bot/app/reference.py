"""The commands as a document: `python -m bot.app.reference > docs/commands.md`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import discord

from bot.app.client import MegaBot, commanding
from bot.app.settings import BotSettings

HEAD = """# Commands

Generated from the code (`python -m bot.app.reference > docs/commands.md`); a test holds it current.

Every option may be left out unless it says that it is required. Who may use a command is decided at the \
moment of its use, by the rights that `/setup` gives to roles (start, steer, approve, spend); people with \
*Manage Server* have all of them, and who started a task may also steer it and answer its questions. \
Commands marked *Manage Server* are for those people alone.
"""

MENUS = """## Menus of a message

Right-click (or long-press) a message of an agent and choose *Apps*:
"""

KINDS: Mapping[int, str] = {
    option.value: kind
    for option, kind in (
        (discord.AppCommandOptionType.string, "text"),
        (discord.AppCommandOptionType.integer, "whole number"),
        (discord.AppCommandOptionType.number, "number"),
        (discord.AppCommandOptionType.boolean, "yes or no"),
        (discord.AppCommandOptionType.user, "person"),
        (discord.AppCommandOptionType.channel, "channel"),
        (discord.AppCommandOptionType.role, "role"),
        (discord.AppCommandOptionType.attachment, "file"),
    )
}
SUBCOMMANDS = {
    discord.AppCommandOptionType.subcommand.value,
    discord.AppCommandOptionType.subcommand_group.value,
}
Node = Mapping[str, Any]


def reference() -> str:
    """Return the document."""
    commands, menus = asyncio.run(_drawn())
    parts = [HEAD, *(_section(name, node) for name, node in leaves(commands))]
    return "\n".join([*parts, MENUS, *(f"- *{node['name']}*" for node in menus), ""])


def leaves(commands: Sequence[Node]) -> Iterator[tuple[str, Node]]:
    """Return each command that can be used with its whole name; a subcommand has its command's permission."""
    for node in commands:
        inner = [one for one in node.get("options", []) if one["type"] in SUBCOMMANDS]
        if not inner:
            yield node["name"], node
        permission = node.get("default_member_permissions")
        below = [{**one, "default_member_permissions": permission} for one in inner]
        yield from ((f"{node['name']} {name}", one) for name, one in leaves(below))


async def _drawn() -> tuple[Sequence[Node], Sequence[Node]]:
    """Return the slash commands, then the entries of message menus, as Discord gets them."""
    bot = MegaBot(BotSettings(), message_content=True)
    for cog in commanding(bot):
        await bot.add_cog(cog)
    drawn = [command.to_dict(bot.tree) for command in bot.tree.get_commands()]
    slash = [node for node in drawn if node["type"] == discord.AppCommandType.chat_input.value]
    return slash, [node for node in drawn if node not in slash]


def _section(name: str, node: Node) -> str:
    manages = discord.Permissions(int(node["default_member_permissions"])).manage_guild
    options = [_option(one) for one in node.get("options", [])]
    told = f"{node['description']}.{' *Manage Server.*' if manages else ''}"
    return "\n".join([f"## `/{name}`", "", told, "", *options, *([""] if options else [])])


def _option(node: Node) -> str:
    facts = [KINDS[node["type"]], *(["required"] if node.get("required") else [])]
    if "min_value" in node:
        most = f"{node['min_value']:,.0f} to {node['max_value']:,.0f}" if "max_value" in node else None
        facts.append(most or f"from {node['min_value']:,.0f}")
    choices = "; ".join(str(choice["name"]) for choice in node.get("choices", []))
    told = f"{node['description']}.{f' One of: {choices}.' if choices else ''}"
    return f"- `{node['name']}` ({', '.join(facts)}): {told}"


if __name__ == "__main__":
    sys.stdout.write(reference())
