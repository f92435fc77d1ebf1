"""An endpoint that repeats the key it was sent does not make it known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import SecretStr

from engine.errors import (
    ModelError,
    ModelKeyRejected,
    ModelMisconfigured,
    ModelRefused,
    ModelUnavailable,
)
from engine.llm.providers.openai_chat import OpenAIChat
from tests.engine.llm.conftest import request_with, settings_with
from tests.fakes.model_endpoint import ModelEndpoint, Reply, says

KEY = "endpoint.canary/Zk42-0815+abcdef"
ECHOES: dict[str, Reply] = {
    "message": says({"error": {"message": f"Incorrect API key provided: {KEY}."}}, 401),
    "string": says({"error": f"no such key {KEY}"}, 403),
    "no json": says(f"<p>bad header Authorization: Bearer {KEY}</p>".encode(), 401),
    "cut": says({"error": {"message": f"key {KEY[:18]}... is unknown"}}, 401),
    "far behind": says({"error": {"message": "x" * 280 + KEY}}, 400),
    "over lines": says({"error": {"message": f"key {KEY[:15]}\n{KEY[15:]}"}}, 500),
    "escaped twice": says({"error": {"message": json.dumps({"k": KEY.replace("/", "\\/")})}}, 429),
    "in a 200": says({"error": {"message": f"quota of {KEY}", "code": 402}}),
    "code and type": says({"error": {"message": "no", "code": KEY, "type": KEY}}, 422),
}


@pytest.mark.parametrize("form", ECHOES)
async def test_an_echoed_key_is_hidden(endpoint: ModelEndpoint, form: str) -> None:
    """The error is what people, cards, logs and exports get to read."""
    endpoint.then = ECHOES[form]
    settings: Any = settings_with(openai_api_key=SecretStr(KEY), openai_base_url=endpoint.url)
    chat = OpenAIChat(settings)
    with pytest.raises(ModelError) as caught:
        await chat.complete(request_with())
    await chat.close()
    said = str(caught.value)
    assert not [at for at in range(len(KEY) - 9) if KEY[at : at + 10] in said], said


async def test_a_login_in_the_endpoints_address_is_hidden(endpoint: ModelEndpoint) -> None:
    """A wrong path is answered with the address that was asked, and the likely one."""
    endpoint.then = says({"error": "no such path"}, 404)
    address = endpoint.url.replace("/v1", "/v9?key=query-canary-77")
    chat = OpenAIChat(settings_with(openai_api_key=SecretStr(KEY), openai_base_url=address))
    with pytest.raises(ModelError) as caught:
        await chat.complete(request_with())
    await chat.close()
    assert "canary" not in str(caught.value)


def test_no_error_of_a_model_holds_a_secret() -> None:
    """Wherever its words come from."""
    settings_with(openai_api_key=SecretStr(KEY))
    for kind in (ModelUnavailable, ModelRefused, ModelMisconfigured, ModelKeyRejected):
        assert str(kind(f"It was {KEY}.")) == "It was [hidden]."
