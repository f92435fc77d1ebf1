"""What was learned of an endpoint is kept over restarts, within bounds, whatever happens to its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.llm.providers.catalog import Catalog
from engine.llm.providers.learned import KEPT_S, SIZES_S, Learned
from engine.llm.providers.quirks import Quirks
from engine.settings import EngineSettings

SHAPE = Quirks(
    limit_name="max_completion_tokens",
    drop=frozenset({"user", "seed"}),
    window=8_000,
    most_answer=4_096,
    repaired=("limit name", "longest answer"),
)


def test_a_new_process_asks_in_the_form_that_the_last_one_learned(tmp_path: Path) -> None:
    """For the same address and model only; the file names neither."""
    path = tmp_path / "learned.json"
    settings = EngineSettings(_env_file=None, data_dir=tmp_path)  # type: ignore[call-arg]

    def catalog(url: str) -> Catalog:
        return Catalog(settings, url, local=False, notice=lambda key, text: None, learned=Learned(path))

    catalog("https://user:secret@one.example/v1").learn("m", SHAPE)
    assert catalog("https://user:secret@one.example/v1").quirks("m") == SHAPE
    assert catalog("https://user:secret@one.example/v1").quirks("other") != SHAPE
    assert catalog("https://two.example/v1").quirks("m") != SHAPE
    stored = path.read_text()
    assert "one.example" not in stored and "secret" not in stored
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_forgotten_in_time(tmp_path: Path) -> None:
    """Sizes after a day, all of it after a week; a clock that was set back forgets, too."""
    now = [1_000_000.0]
    learned = Learned(tmp_path / "learned.json", lambda: now[0])
    learned.put("u", "m", SHAPE)
    now[0] += SIZES_S
    later = learned.get("u", "m")
    assert later is not None and (later.window, later.most_answer) == (0, 0) and later.drop == SHAPE.drop
    now[0] += KEPT_S
    assert learned.get("u", "m") is None
    learned.put("u", "new", SHAPE)
    assert len(json.loads((tmp_path / "learned.json").read_text())["endpoints"]) == 1
    now[0] = 0.0
    assert learned.get("u", "new") is None


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"format": 9, "endpoints": {}}',
        b'{"format": 1, "endpoints": []}',
        b'{"format": 1, "endpoints": {"k": 1}}',
    ],
)
def test_a_damaged_file_counts_as_empty_and_is_written_again(tmp_path: Path, damage: bytes) -> None:
    """Also one of another version."""
    path = tmp_path / "learned.json"
    path.write_bytes(damage)
    learned = Learned(path)
    assert learned.get("u", "m") is None
    learned.put("u", "m", SHAPE)
    assert learned.get("u", "m") == SHAPE


@pytest.mark.parametrize(
    "change", [{"window": "8000"}, {"drop": "user"}, {"drop": [1]}, {"stream": 1}, {"family": None}]
)
def test_values_of_another_kind_are_not_used(tmp_path: Path, change: dict[str, object]) -> None:
    """A request is never built from them."""
    path = tmp_path / "learned.json"
    learned = Learned(path)
    learned.put("u", "m", SHAPE)
    stored = json.loads(path.read_text())
    next(iter(stored["endpoints"].values()))["quirks"].update(change)
    path.write_text(json.dumps(stored))
    assert learned.get("u", "m") is None


def test_a_folder_that_cannot_be_written_costs_the_memory_only(tmp_path: Path) -> None:
    """It is learned again next time."""
    learned = Learned(tmp_path / "missing" / "learned.json")
    learned.put("u", "m", SHAPE)
    assert learned.get("u", "m") is None
