"""Settings of the Discord side, read once from the environment and `.env`; frozen."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.features.replies.proxies import PLURALKIT, TUPPERBOX
from engine.secrets import keep_secrets_of

LOCAL_CARD_S = 5.0


class BotSettings(BaseSettings):
    """Names are the environment's names in upper case (`DISCORD_TOKEN`, `AVATAR_URL_TEMPLATE`, …).

    `discord_token` empty means local mode. `message_content` is the privileged intent: "auto" uses it
    when the application has it, "on" insists, "off" goes by button, modal and context menu alone.
    `proxy_applications` are the ids (a JSON list) of applications that repeat people's messages by webhook.
    `avatar_url_template` may hold `{seed}`; empty means the bot's own drawings where they can be shown.
    """

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    discord_token: SecretStr = SecretStr("")
    message_content: Literal["auto", "on", "off"] = "auto"
    avatar_url_template: str = ""
    local_port: int = Field(default=8765, ge=0, le=65535)
    max_ratelimit_timeout_s: float = Field(default=60.0, ge=30)
    card_every_s: float = Field(default=15.0, ge=1)
    card_repost_s: float = Field(default=3600.0, ge=60)
    sync_commands: bool = True
    proxy_applications: tuple[int, ...] = (PLURALKIT, TUPPERBOX)

    @property
    def card_interval_s(self) -> float:
        """Return the least time between two edits of a card: shorter on the loopback Discord unless set."""
        return (
            LOCAL_CARD_S if self.local and "card_every_s" not in self.model_fields_set else self.card_every_s
        )

    def model_post_init(self, _context: object, /) -> None:
        """What is read is known to be secret before anything can show it."""
        keep_secrets_of(self)

    @property
    def local(self) -> bool:
        """True when there is no token: the bot runs on the loopback Discord."""
        return not self.discord_token.get_secret_value().strip()
