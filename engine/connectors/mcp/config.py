"""Read `mcp.json`, in the form that other MCP clients use too, with the key `megaagent` for what is ours.

Secrets stand in the environment (or `.env`) and are named as `${NAME}`. What they resolve to is registered as
secret before anything can show it, and goes to that server alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from engine.domain.outside import WEB
from engine.errors import NotConfigured
from engine.ports import AgentRole, OutsideLimits, Policy
from engine.secrets import keep_secret, keep_secrets_of
from engine.settings import EngineSettings, ModelTarget

_REFERENCE = re.compile(r"\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}")
_SERVER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,39}")
OWN_SECRETS = frozenset(
    {"DISCORD_TOKEN", "DATABASE_URL"}
    | {
        name.upper()
        for name, field in EngineSettings.model_fields.items()
        if field.annotation in (SecretStr, tuple[ModelTarget, ...])
    }
)
"""What no server gets, even where its entry names it: the bot's token, its database, its model keys."""

WORKING_ROLES: tuple[AgentRole, ...] = ("boss", "head", "member")


def _by_role(value: Any) -> Any:
    return {"*": value} if isinstance(value, str) else value


RolePolicies = Annotated[dict[AgentRole | Literal["*"], Policy], BeforeValidator(_by_role)]


_USUAL = OutsideLimits()


class OAuthKey(BaseModel):
    """The client that the operator registered by hand at a server's sign-in; empty: it registers itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str = ""
    client_secret: str = ""
    scope: str = ""


class OurKey(BaseModel):
    """The key `megaagent` of a server's entry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: tuple[AgentRole, ...] = WORKING_ROLES
    guilds: tuple[str, ...] = ()
    policy: dict[str, RolePolicies] = Field(default_factory=dict)
    price_usd: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    calls_per_task: int = Field(default=_USUAL.per_task, gt=0)
    calls_per_hour: int = Field(default=_USUAL.per_hour, gt=0)
    timeout_s: float = Field(default=_USUAL.timeout_s, gt=0, le=600)
    reuse_s: float = Field(default=_USUAL.reuse_s, ge=0)
    oauth: OAuthKey = OAuthKey()

    def limits(self) -> OutsideLimits:
        """Return the limits of the server's calls."""
        return OutsideLimits(self.calls_per_task, self.calls_per_hour, self.timeout_s, self.reuse_s)

    def policies(self, tool: str, *, reads_only: bool) -> dict[AgentRole, Policy]:
        """Return the policy of each role for a tool. An exact name goes before a pattern, a longer pattern
        before a shorter one; without any, what only reads is allowed and everything else asks."""
        usual: Policy = "allow" if reads_only else "ask"
        chosen = next((self.policy[key] for key in _fitting(self.policy, tool)), {})
        return {role: chosen.get(role, chosen.get("*", usual)) for role in self.roles}

    def unknown(self, tools: Collection[str]) -> list[str]:
        """Return what policy and prices name as a tool and is none of `tools`; patterns may fit none yet."""
        named = dict.fromkeys([*self.policy, *self.price_usd])
        return [one for one in named if one not in tools and not set(one) & set("*?[")]

    def price_micros(self, tool: str) -> int:
        """Return the price of a call in micro-dollars, 0 without one."""
        dollars = next((self.price_usd[key] for key in _fitting(self.price_usd, tool)), 0.0)
        return round(dollars * 1_000_000)


def _fitting(table: Mapping[str, Any], tool: str) -> list[str]:
    keys = [key for key in table if key == tool or fnmatchcase(tool, key)]
    return sorted(keys, key=lambda key: (key != tool, -len(key)))


class Entry(BaseModel):
    """One server's entry; keys of other clients are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: Literal["stdio", "http", "streamable-http", "streamableHttp"] | None = None
    command: str = ""
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    cwd: str = ""
    url: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    disabled: bool = False
    megaagent: OurKey = OurKey()


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """One server with every reference resolved. `problem`: why it cannot be used and what to do, else ""."""

    name: str
    entry: Entry
    problem: str = ""

    @property
    def is_program(self) -> bool:
        """Return whether it is a program that the bot starts, not an address."""
        return bool(self.entry.command)

    @property
    def may_sign_in(self) -> bool:
        """Return whether a person can sign in to it: an address whose entry brings no token of its own."""
        return bool(self.entry.url) and "authorization" not in {name.lower() for name in self.entry.headers}

    @property
    def spaces(self) -> frozenset[str] | None:
        """Return the servers of people where it exists, None for all."""
        ids = self.entry.megaagent.guilds
        return frozenset(f"guild:{one}" for one in ids) if ids else None


def load_servers(path: Path, variables: Mapping[str, str]) -> tuple[ServerConfig, ...]:
    """Return the servers that the file names, without those that are disabled.

    Raises NotConfigured when the file as a whole cannot be read. A wrong entry is returned with its problem.
    """
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotConfigured(
            f"{path} cannot be read ({error.strerror}). Correct MCP_CONFIG in .env."
        ) from error
    except ValueError as error:
        raise NotConfigured(f"{path} is not valid JSON ({error}). Correct it, then start again.") from error
    named = whole.get("mcpServers") if isinstance(whole, dict) else None
    if not isinstance(named, dict):
        raise NotConfigured(f'{path} has no object "mcpServers". Name the servers in it, or remove the file.')
    found = tuple(_server(name, entry, variables) for name, entry in named.items())
    return tuple(server for server in found if not server.entry.disabled)


def _server(name: str, written: Any, variables: Mapping[str, str]) -> ServerConfig:
    try:
        _check_name(name)
        entry = Entry.model_validate(_resolved(written, variables))
        _check(entry)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return ServerConfig(name[:40], Entry(), f"{where}: {first['msg']}. Correct it in mcp.json.")
    except _WrongEntry as error:
        return ServerConfig(name[:40], Entry(), f"{error}. Correct it in mcp.json.")
    keep_secrets_of([*entry.env.items(), *entry.headers.items(), ("url", entry.url)])
    keep_secret(entry.megaagent.oauth.client_secret)
    return ServerConfig(name, entry)


class _WrongEntry(Exception):
    """An entry cannot be used; the text says why."""


def _check_name(name: str) -> None:
    if name.lower() == WEB:
        raise _WrongEntry(f"the name {WEB} is taken by search and pages: give it another")
    if not _SERVER_NAME.fullmatch(name):
        raise _WrongEntry("its name may have up to 40 letters, digits, dots, dashes and blanks")


def _check(entry: Entry) -> None:
    if bool(entry.command) == bool(entry.url):
        raise _WrongEntry("it needs either command (a program) or url (an address)")
    if entry.url and not entry.url.startswith(("http://", "https://")):
        raise _WrongEntry("its url has to begin with https:// or http://")
    texts = [entry.command, *entry.args, *entry.env, *entry.env.values(), entry.cwd]
    if any("\0" in text for text in texts):
        raise _WrongEntry("it contains a null character")


def _resolved(value: Any, variables: Mapping[str, str]) -> Any:
    """Return the value with each `${NAME}` replaced. Raises _WrongEntry for one that is missing or ours."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: _value_of(found, variables), value)
    if isinstance(value, list):
        return [_resolved(one, variables) for one in value]
    if isinstance(value, dict):
        return {key: _resolved(one, variables) for key, one in value.items()}
    return value


def _value_of(found: re.Match[str], variables: Mapping[str, str]) -> str:
    name, usual = found[1], found[2]
    if name in OWN_SECRETS:
        raise _WrongEntry(f"it asks for {name}, a secret of the bot that no server gets")
    if name in variables:
        keep_secret(variables[name])
        return variables[name]
    if usual is None:
        raise _WrongEntry(f"the environment variable {name} is not set; set it in .env")
    return usual


class _DotEnv(BaseSettings):
    """All that stands in `.env`, whatever it is called."""

    model_config = SettingsConfigDict(env_file=".env", extra="allow", case_sensitive=True)


def variables_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what references may name: the environment, then `.env`."""
    kept = _DotEnv().model_extra or {}
    return {**{name: str(value) for name, value in kept.items()}, **environ}
