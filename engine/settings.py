"""Settings of the engine, read once from the environment and `.env`; frozen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from engine.secrets import keep_secrets_of

MCP_CONFIG = Path("mcp.json")
"""The file that names the servers of tools; unless it is set, it need not exist."""


WebSearch = Literal["auto", "searxng", "brave", "tavily", "keyless", "off"]


class Price(BaseModel):
    """Price of one model in dollars per million tokens; `cached` defaults to the input price."""

    model_config = ConfigDict(frozen=True)

    input: float
    output: float
    cached: float | None = None


class ModelTarget(BaseModel):
    """One model and where it is; an empty address is OpenAI's, an empty key none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    base_url: str = ""
    api_key: SecretStr = SecretStr("")


class EngineSettings(BaseSettings):
    """Settings; environment variables are the names in upper case (`OPENAI_API_KEY`, `MODEL_BOSS`, …)."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    data_dir: Path = Path("var")
    database_url: str = ""
    run_turns: bool = True

    openai_api_key: SecretStr = SecretStr("")
    openai_base_url: str = ""
    openai_api_key_boss: SecretStr = SecretStr("")
    openai_api_key_head: SecretStr = SecretStr("")
    openai_api_key_member: SecretStr = SecretStr("")
    openai_api_key_auditor: SecretStr = SecretStr("")
    openai_base_url_boss: str = ""
    openai_base_url_head: str = ""
    openai_base_url_member: str = ""
    openai_base_url_auditor: str = ""
    anthropic_api_key: SecretStr = SecretStr("")
    anthropic_base_url: str = ""
    google_api_key: SecretStr = SecretStr("")
    google_base_url: str = ""
    model: str = "gpt-4o-mini"
    model_boss: str = ""
    model_head: str = ""
    model_member: str = ""
    model_auditor: str = ""
    allowed_models: Annotated[tuple[str, ...], NoDecode] = ()
    model_fallback: tuple[ModelTarget, ...] = ()
    model_fallback_boss: tuple[ModelTarget, ...] = ()
    model_fallback_head: tuple[ModelTarget, ...] = ()
    model_fallback_member: tuple[ModelTarget, ...] = ()
    model_fallback_auditor: tuple[ModelTarget, ...] = ()
    embedding_model: str = ""
    model_prices: dict[str, Price] = Field(default_factory=dict)
    model_ceiling_price: Price = Price(input=5.0, output=25.0)
    model_unpriced: Literal["ceiling", "refuse"] = "ceiling"
    model_prices_update: bool = False
    extra_fields: dict[str, Any] = Field(default_factory=dict, validation_alias="model_extra")
    model_extra_boss: dict[str, Any] = Field(default_factory=dict)
    model_extra_head: dict[str, Any] = Field(default_factory=dict)
    model_extra_member: dict[str, Any] = Field(default_factory=dict)
    model_extra_auditor: dict[str, Any] = Field(default_factory=dict)
    model_timeout_s: float = Field(default=120.0, gt=0)
    model_max_tokens: int = Field(default=16_384, gt=0)
    model_max_tokens_raised: int = Field(default=65_536, gt=0)
    model_context_tokens: int = Field(default=32_000, gt=1000)
    model_concurrency: int = Field(default=64, gt=0)
    requests_per_minute: int = Field(default=0, ge=0)
    tokens_per_minute: int = Field(default=0, ge=0)

    local_model: Literal["auto", "small", "off"] | Path = "auto"
    local_slots: int = Field(default=2, gt=0)
    local_context: int = Field(default=8192, ge=2048)
    local_threads: int = Field(default=0, ge=0)
    local_seed: int | None = None
    tool_profile: Literal["full", "small"] = "full"

    mcp_config: Path = MCP_CONFIG
    mcp_oauth_redirect: str = "http://127.0.0.1:8767/signed-in"
    mcp_oauth_listen: str = ""
    outside_tools_shown: int = Field(default=24, ge=0)
    outside_guard: bool = True

    web: bool = True
    web_search: WebSearch = "auto"
    searxng_url: str = ""
    brave_api_key: SecretStr = SecretStr("")
    tavily_api_key: SecretStr = SecretStr("")
    web_search_price_usd: float = Field(default=0.0, ge=0)
    web_calls_per_task: int = Field(default=200, gt=0)
    web_calls_per_hour: int = Field(default=1_000, gt=0)
    web_allowed: Annotated[tuple[str, ...], NoDecode] = ()
    web_private_networks: Annotated[tuple[str, ...], NoDecode] = ()
    web_ports: Annotated[tuple[int, ...], NoDecode] = ()

    max_agents: int = Field(default=60, gt=0)
    max_depth: int = Field(default=6, gt=0)
    max_members: int = Field(default=20, gt=0)
    max_steps: int = Field(default=30, gt=0)
    max_cost_usd: float = Field(default=5.0, gt=0)
    max_tokens: int = Field(default=5_000_000, gt=0)
    max_minutes: int = Field(default=240, gt=0)
    demo_pace: float = Field(default=1.0, ge=0)
    plan_approval_over: int = Field(default=8, ge=0)
    audit_rounds: int = Field(default=2, ge=0)

    run_timeout_s: float = Field(default=30.0, gt=0)
    run_memory_mb: int = Field(default=512, gt=0)
    run_packages: Annotated[tuple[str, ...], NoDecode] = ("pytest",)
    packages_allowed: Annotated[tuple[str, ...], NoDecode] = ()
    packages_others: Literal["ask", "off"] = "ask"
    packages_max_mb: int = Field(default=300, gt=0)

    def model_post_init(self, _context: object, /) -> None:
        """Register the secrets before anything can show them."""
        keep_secrets_of(self)

    @field_validator(
        "run_packages",
        "allowed_models",
        "packages_allowed",
        "web_allowed",
        "web_private_networks",
        "web_ports",
        mode="before",
    )
    @classmethod
    def _listed(cls, value: object) -> object:
        """Parse a JSON list, or names separated by commas."""
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return json.loads(value)
        return [word.strip() for word in value.split(",") if word.strip()]

    def sqlite_or_url(self) -> str:
        """Return the SQLAlchemy URL: `DATABASE_URL`, or SQLite in the data directory."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'megaagent.db').resolve()}"

    def usual_models(self) -> tuple[str, ...]:
        """Return the models that are used when a task names none, without duplicates."""
        by_role = (self.model_boss, self.model_head, self.model_member, self.model_auditor)
        return tuple(dict.fromkeys(name for name in (self.model, *by_role) if name))

    def models(self) -> tuple[str, ...]:
        """Return the models that a task may name: the usual ones and `allowed_models`."""
        return tuple(dict.fromkeys((*self.usual_models(), *self.allowed_models)))

    def model_for(self, role: str) -> str:
        """Return the model's name for a role, `model` unless the role has its own."""
        return str(getattr(self, f"model_{role}", "")) or self.model

    @property
    def has_endpoint(self) -> bool:
        """Return whether any model other than the embedded one is configured."""
        keys = (self.openai_api_key, self.anthropic_api_key, self.google_api_key)
        return any(key.get_secret_value() for key in keys) or bool(self.openai_base_url)

    def target_for(self, role: str) -> ModelTarget:
        """Return a role's model and endpoint; a role with its own URL never uses the common key."""
        base_url = str(getattr(self, f"openai_base_url_{role}", ""))
        key: SecretStr = getattr(self, f"openai_api_key_{role}", SecretStr(""))
        if base_url and not key.get_secret_value():
            key = SecretStr("none")
        return ModelTarget(
            model=self.model_for(role),
            base_url=base_url or self.openai_base_url,
            api_key=key if key.get_secret_value() else self.openai_api_key,
        )

    def fallback_for(self, role: str) -> tuple[ModelTarget, ...]:
        """Return the fallback models of a role, in order."""
        own: tuple[ModelTarget, ...] = getattr(self, f"model_fallback_{role}", ())
        return own or self.model_fallback

    def extra_for(self, role: str) -> dict[str, Any]:
        """Return the extra request fields of a role: MODEL_EXTRA, overridden by the role's own."""
        return {**self.extra_fields, **getattr(self, f"model_extra_{role}", {})}
