"""Texts about servers of tools, in the voice of `bot.texts`."""

from __future__ import annotations

from engine.errors import Refusal

NONE = Refusal(
    "Agents here have no external tools.",
    "The operator can add MCP servers in `mcp.json`: see `docs/connectors.md`.",
)
SERVER = {
    "ready": "🟢 **{name}** · {count}",
    "starting": "🟡 **{name}** is starting · {count}",
    "down": "🔴 **{name}** is not connected; retries are automatic · {count}",
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
POLICY = {"allow": "allowed", "ask": "asks a person first", "deny": "not allowed"}
FOR_ROLES = "{policy} ({roles})"
SIGN_IN = "Sign in to {name}"
SIGN_OUT = "Sign out of {name}"
SIGNED_OUT = (
    "✅ Signed out of **{name}**: its tokens were deleted here. What the account still allows can be revoked "
    "in its settings at the service."
)
PASTE = "Paste the address"
ADDRESS = "The address of the last page"
LINK = (
    "Sign in to **{name}** at `{host}` within {minutes} minutes. Check that host before you type anything: "
    "the agents of this server will act with the account that you choose. If the last page does not "
    "load, copy its address and press **Paste the address**."
)
LINK_FILE = "link.txt"
SIGNED_IN = "✅ Signed in to **{name}**. `/tools` shows its tools in a moment."
NO_SERVER = Refusal("There is no tool server {name} here.", "Look at `/tools` again.")
MORE = "-# The full list is attached."
FILE = "tools.md"
DOCTOR_OK = "✅ External tools: {count} ready."
DOCTOR_NOTE = "💬 Tools: **{name}**: {detail}"
DOCTOR_BAD = "❌ Tools: **{name}** {condition}. {detail}"
