"""Texts about servers of tools, in the voice of `bot.texts`."""

from __future__ import annotations

NONE = (
    "Agents here have no tools of other programs. The operator can add MCP servers in `mcp.json`: see "
    "`docs/connectors.md`."
)
SERVER = {
    "ready": "🟢 **{name}** · {count}",
    "starting": "🟡 **{name}** is starting · {count}",
    "down": "🔴 **{name}** is not connected; it is tried again · {count}",
    "needs_sign_in": "🔒 **{name}** needs a sign-in · {count}",
    "wrong": "🔴 **{name}** cannot be used",
}
CONDITION = {
    "ready": "ready",
    "starting": "starting",
    "down": "not connected",
    "needs_sign_in": "needs a sign-in",
    "wrong": "cannot be used",
}
REASON = "-# {detail}"
TOOL = "- {tool}: {policy}{price}"
PRICE = " · {price} a call"
POLICY = {"allow": "at once", "ask": "asks a person first", "deny": "never"}
FOR_ROLES = "{policy} ({roles})"
MORE = "-# The whole list is attached."
FILE = "tools.md"
DOCTOR_OK = "✅ Tools of other programs: {count} ready."
DOCTOR_BAD = "❌ Tools: **{name}** {condition}. {detail}"
