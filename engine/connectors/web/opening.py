"""Open the web as the settings want it."""

from __future__ import annotations

from collections.abc import Callable

from engine.connectors.web.fetch import Fetcher
from engine.connectors.web.search import BRAVE, TAVILY, ApiSearch, KeylessSearch, Search
from engine.connectors.web.servers import USUAL, Web, WebOptions
from engine.domain.addresses import AddressRules
from engine.errors import NotConfigured
from engine.extras import require
from engine.ports import OutsideLimits
from engine.settings import EngineSettings


def open_web(settings: EngineSettings, now: Callable[[], float]) -> list[Web]:
    """Return the web, none when it is off. Without its extra it is there, has no tools and says why.

    Raises NotConfigured for a search service that lacks its address or key.
    """
    if not settings.web:
        return []
    fetcher = Fetcher(web_rules(settings))
    limits = OutsideLimits(
        settings.web_calls_per_task, settings.web_calls_per_hour, USUAL.timeout_s, USUAL.reuse_s
    )
    options = WebOptions(limits, round(settings.web_search_price_usd * 1_000_000))
    search = _search(settings)
    try:
        require("web", "The web")
    except NotConfigured as missing:
        return [Web(search, fetcher, options, now, f"{missing} Or turn it off: WEB=false.")]
    return [Web(search, fetcher, options, now)]


def web_rules(settings: EngineSettings) -> AddressRules:
    """Return which addresses the operator allows. Raises NotConfigured."""
    try:
        return AddressRules.of(settings.web_allowed, settings.web_private_networks, settings.web_ports)
    except ValueError as error:
        raise NotConfigured(
            f"WEB_PRIVATE_NETWORKS: {error}. Correct it in .env, such as 10.1.0.0/16."
        ) from error


def _search(settings: EngineSettings) -> Search | None:
    """Return the service that is set; of those that could be, the operator's own goes first."""
    brave, tavily = (key.get_secret_value() for key in (settings.brave_api_key, settings.tavily_api_key))
    given = {"searxng": settings.searxng_url, "brave": brave, "tavily": tavily}
    chosen = settings.web_search
    if chosen == "auto":
        return _service(next((name for name, value in given.items() if value), "keyless"), settings)
    if not given.get(chosen, "set"):
        needed = {"searxng": "SEARXNG_URL", "brave": "BRAVE_API_KEY", "tavily": "TAVILY_API_KEY"}[chosen]
        raise NotConfigured(f"WEB_SEARCH={chosen} needs {needed}. Set it in .env.")
    return _service(chosen, settings)


def _service(name: str, settings: EngineSettings) -> Search | None:
    services: dict[str, Search] = {
        "searxng": ApiSearch("SearXNG", "searxng", settings.searxng_url),
        "brave": ApiSearch("Brave Search", "brave", BRAVE, settings.brave_api_key.get_secret_value()),
        "tavily": ApiSearch("Tavily", "tavily", TAVILY, settings.tavily_api_key.get_secret_value()),
        "keyless": KeylessSearch(),
    }
    return services.get(name)
