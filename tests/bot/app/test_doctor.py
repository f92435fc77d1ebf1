"""`megaagent doctor` says which database and whether the model answers, and shows nobody a secret."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

import bot.app.cli as command
from tests.fakes.model_endpoint import ModelEndpoint, says

KEY = "doctor.canary-Zk42-0815"


@pytest.mark.filterwarnings("ignore:Query string")
async def test_doctor_shows_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key the endpoint repeats, a password in the address of the database."""
    endpoint = ModelEndpoint()
    await endpoint.start()
    endpoint.then = says({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 401)
    for name, value in {
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'x.db'}?password=pass-canary-77",
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": endpoint.url,
        "RUN_PACKAGES": "",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    try:
        await command._doctor(argparse.Namespace())
    finally:
        await endpoint.stop()
    shown = "".join(capsys.readouterr())
    assert f"database: sqlite:///{tmp_path / 'x.db'}" in shown
    assert "rejected the API key" in shown
    assert "canary" not in shown
