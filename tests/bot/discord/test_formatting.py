"""Pure wording and rules: foreign text is harmless, names are safe, rights are denied by default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.app.instance_lock import AlreadyRunning, InstanceLock, Lease, hold_instance
from bot.app.settings import BotSettings
from bot.discord.access import GuildRules, Person, Right, may, without_role
from bot.discord.attachments import free_path
from bot.discord.formatting import (
    bar,
    dollars,
    escape,
    fenced,
    plain,
    safe_name,
    size,
    span,
    without_previews,
)
from bot.discord.identities import guild_of, owner_id, space_of
from bot.discord.windows import typed
from bot.features.tasks.log_lines import LINES, log_line
from engine import events
from tests.fakes.engine import FakeEngine
from tests.fakes.inline_database import InlineDatabase


@given(
    st.lists(
        st.sampled_from(["[", "](", ")", "https://a.example/b", "**", "`", "\\", "||", "x ", "_"]),
        max_size=12,
    )
)
def test_no_link_and_no_mark_in_foreign_text_is_left(parts: list[str]) -> None:
    """Neither between two links of a line nor after them: what stands there is shown as typed."""
    shown = escape("".join(parts))
    assert "](" not in shown
    words = re.sub(r"https?://[^\s<]+[^<.,:;\"'\]\s]", "", shown)
    assert not re.search(r"[*`|_]", re.sub(r"\\.", "", words))


@given(st.text(max_size=300), st.integers(1, 200))
def test_plain_text_is_one_harmless_line(text: str, limit: int) -> None:
    """Never longer than asked, never two lines, never a mention."""
    shown = plain(text, limit)
    assert len(shown) <= limit and "\n" not in shown
    assert not re.search(r"<[@#]|@everyone|@here", shown)


@given(st.text(max_size=500))
def test_a_fence_cannot_be_left(text: str) -> None:
    """Exactly two fences, whatever is inside."""
    assert fenced(text).count("```") == 2


@given(st.text(max_size=200))
def test_names_from_people_name_no_folder(name: str) -> None:
    """Letters, digits, dots, dashes and underscores, no leading dot, never empty, never long."""
    safe = safe_name(name)
    assert re.fullmatch(r"[\w.\-]{1,80}", safe) and not safe.startswith(".")
    assert Path(f"attachments/{safe}").parent == Path("attachments")


def test_free_paths_keep_the_ending() -> None:
    """The number goes before the ending, dotless names get it at the end."""
    assert free_path("a/b.txt", {"a/b.txt": b"", "a/b-2.txt": b""}) == "a/b-3.txt"
    assert free_path("a/Makefile", {"a/Makefile": b""}) == "a/Makefile-2"


def test_numbers_for_people() -> None:
    """Sizes, money, spans, bars."""
    assert [size(312), size(4096), size(2_621_440)] == ["312 B", "4.0 KiB", "2.5 MiB"]
    assert [dollars(0), dollars(1500), dollars(12_345_678)] == ["$0.00", "$0.0015", "$12.35"]
    assert [span(40), span(720), span(11_100)] == ["40 s", "12 min", "3 h 05 min"]
    assert [bar(0, 0, 4), bar(1, 3, 4), bar(3, 3, 4)] == ["░░░░", "█░░░", "████"]


ROLE = 5
START, STEER, APPROVE, SPEND = (frozenset({ROLE + n}) for n in range(4))
RULES = GuildRules(1, START, STEER, APPROVE, SPEND, configured=True)


@pytest.mark.parametrize("right", list(Right))
@pytest.mark.parametrize("role", [0, *range(ROLE, ROLE + 4)])
@pytest.mark.parametrize("owner", [False, True])
@pytest.mark.parametrize("manages", [False, True])
@pytest.mark.parametrize("configured", [False, True])
def test_the_matrix_of_rights(right: Right, role: int, owner: bool, manages: bool, configured: bool) -> None:
    """Managers all; owners steer and approve; a role exactly its right; everyone else nothing."""
    person = Person(9, "Ada", frozenset({role}), manages)
    rules = RULES if configured else GuildRules(1)
    allowed = manages or (owner and right in (Right.STEER, Right.APPROVE))
    allowed = allowed or (configured and role == ROLE + list(Right).index(right))
    assert may(person, right, rules, 9 if owner else 8) is allowed


def test_a_deleted_role_opens_nothing() -> None:
    """Empty sets mean managers, not everyone."""
    rules = without_role(RULES, ROLE)
    assert not may(Person(1, "Ada", frozenset({ROLE}), False), Right.START, rules)


@pytest.mark.parametrize("by", ["discord:left", "api:5", "", "discord:", "5"])
def test_engine_names_of_others_own_nothing(by: str) -> None:
    """Only "discord:<digits>" is a person on Discord."""
    assert owner_id(by) is None and owner_id("discord:5") == 5
    assert guild_of(space_of(9)) == 9 and guild_of("cli") is None


def test_the_token_is_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not in the settings' text; without one it is local mode."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("DISCORD_TOKEN=very.secret.token\nMESSAGE_CONTENT=off\n")
    monkeypatch.delenv("DISCORD_TOKEN", raising=False)
    settings = BotSettings()
    assert not settings.local and settings.message_content == "off"
    assert "secret" not in f"{settings!r} {settings} {settings.model_dump()}"
    monkeypatch.setenv("DISCORD_TOKEN", " ")
    assert BotSettings().local


def test_a_second_bot_is_refused_until_the_first_has_left(tmp_path: Path) -> None:
    """In plain words that name who runs; afterwards the place is free."""
    first, second = InstanceLock(tmp_path / "bot.lock"), InstanceLock(tmp_path / "bot.lock")
    with first:
        with pytest.raises(AlreadyRunning, match=r"already running.*process \d+.*Stop the other one"), second:
            pass
        assert (tmp_path / "bot.lock").read_text().startswith("process ")
    with second:
        pass


@pytest.fixture
def database() -> Iterator[InlineDatabase]:
    """With the tables of the bot."""
    made = InlineDatabase()
    yield made
    made.dispose()


async def test_a_shared_database_is_leased_to_one_bot(database: InlineDatabase) -> None:
    """The second is refused while the first renews or for a minute after it died; leaving frees at once."""
    clock = [1000.0]
    first, second = (Lease(database, lambda: clock[0]) for _ in range(2))
    await first.claim()
    clock[0] += 50
    await first.claim()
    clock[0] += 50
    with pytest.raises(AlreadyRunning, match="already running"):
        await second.claim()
    clock[0] += 20
    await second.claim()
    with pytest.raises(AlreadyRunning):
        await first.claim()
    await first.leave()
    with pytest.raises(AlreadyRunning):
        await first.claim()
    await second.leave()
    await first.claim()


async def test_a_start_after_a_kill_waits_for_the_lease_of_the_dead(database: InlineDatabase) -> None:
    """It is not told to stop a bot that runs no more; one that renews its lease keeps it."""
    clock, said = [1000.0], list[str]()
    dead, alive = (Lease(database, lambda: clock[0]) for _ in range(2))

    async def pass_by(seconds: float) -> None:
        clock[0] += seconds

    async def renewing(seconds: float) -> None:
        clock[0] += seconds
        await alive.claim()

    await dead.claim()
    third = Lease(database, lambda: clock[0], pass_by)
    await third.begin(said.append)
    assert clock[0] == 1060.0 and len(said) == 1 and "no longer runs" in said[0]
    await third.leave()
    await alive.claim()
    with pytest.raises(AlreadyRunning, match="already running"):
        await Lease(database, lambda: clock[0], renewing).begin(said.append)
    await alive.leave()
    await dead.claim()
    assert len(said) == 2


async def test_only_bot_locks_a_file_for_sqlite(database: InlineDatabase, tmp_path: Path) -> None:
    """What the bootstrap uses: refused inside, free after."""
    async with hold_instance(database, tmp_path, lambda: 0.0):
        with pytest.raises(AlreadyRunning):
            async with hold_instance(database, tmp_path, lambda: 0.0):
                pass
    async with hold_instance(database, tmp_path, lambda: 0.0):
        assert (tmp_path / "bot.lock").read_text().startswith("process ")


def test_every_event_worth_a_line_has_one() -> None:
    """All kinds but speech, reading and what belongs to no task; each as one short line."""
    silent = {events.AgentSpoke, events.MessageRead, events.RepeatPaused, events.MonthBudgetReached}
    assert set(LINES) == set(events.EventBody.__args__) - silent


async def test_lines_are_short_and_harmless() -> None:
    """Whatever agents are called or write."""
    engine = FakeEngine()
    from engine.commands import StartTask

    task_id = await engine.handle(StartTask("x", "discord:1", "guild:1"))
    boss = engine.world.tasks[task_id].boss_id
    (ada,) = engine.recruit(boss, "**@everyone**\n" * 30)
    engine.assign(boss, ada, "`@here`\n" * 99)
    engine.raise_gate(ada, "<@1> " * 99)
    engine.write(ada, "x" * 500, b"")
    lines = [line for event in engine.log if (line := log_line(event.body))]
    assert all(len(line) < 260 and "\n" not in line and "<@1>" not in line for line in lines)


def test_who_paused_resumed_or_stopped_a_task_is_named_in_the_log() -> None:
    """Not "by a person": people read who it was; what nobody did says why."""
    paused, resumed = (
        events.TaskChanged(1, "paused", "", "person", "discord:5"),
        events.TaskChanged(1, "running", ""),
    )
    stopped = events.TaskEnded(1, 2, "stopped", "", (), False, by="discord:5")
    said = [log_line(body, "Sam (Editors)") for body in (paused, resumed, stopped)]
    assert said == [
        "⏸️ Paused by Sam (Editors)",
        "▶️ Resumed by Sam (Editors)",
        "🏁 Ended: stopped by Sam (Editors)",
    ]
    assert log_line(events.TaskChanged(1, "paused", "cap on tokens reached", "cap")) == (
        "⏸️ Paused: cap on tokens reached"
    )
    assert log_line(events.TaskEnded(1, 2, "done", "", (), True), "Sam") == "🏁 Ended: done"


def test_an_assignment_is_called_by_its_title() -> None:
    """Its number goes on over tasks, and people would take it for a task's."""
    changed = events.AcceptedWorkChanged(2, 3, 17, "the hull", "Boss", 5, "Ada", ("hull.md",))
    assert log_line(changed) == "✏️ Ada changed hull.md after “the hull” was accepted"


def test_typed_values_are_found_in_labels_and_rows() -> None:
    """Discord nests inputs in labels, older clients in rows."""
    data = {
        "components": [
            {"type": 18, "component": {"type": 4, "custom_id": "text", "value": "a"}},
            {"type": 1, "components": [{"type": 4, "custom_id": "more", "value": "b"}]},
            {"type": 18, "component": {"type": 4, "custom_id": "none"}},
        ]
    }
    assert typed(data) == {"text": "a", "more": "b", "none": ""}


A = "https://a.example/?q=secret"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"See {A}.", f"See <{A}>."),
        (f"[here]({A}) and ![pic](  <{A}> 'title')", f"here (<{A}>) and pic (<{A}>)"),
        (f"[]({A}) \\[x]({A})", f"<{A}> x (<{A}>)"),
        (f"[mail](mailto:x@a.example) ({A})", f"mail (`mailto:x@a.example`) (<{A}>)"),
        (f"<{A}> `{A}` ```\n{A}\n```", f"<{A}> `{A}` ```\n{A}\n```"),
        (f"||{A}|| **{A}**", f"||<{A}>|| **<{A}>**"),
        ("https://a.example/x_(y) HTTP://A.example", "<https://a.example/x_(y)> <HTTP://A.example>"),
        ("[you](https://discord.com/channels/1/2/3)", "[you](https://discord.com/channels/1/2/3)"),
        (f"``` {A}", f"``` <{A}>"),
    ],
)
def test_addresses_are_seen_whole_and_fetched_by_nobody(text: str, shown: str) -> None:
    """No preview, no picture, no label that hides where a link leads; once done it is done."""
    assert without_previews(text) == shown
    assert without_previews(shown) == shown


def test_text_from_right_to_left_keeps_its_neighbours_in_place() -> None:
    """A number beside an Arabic or Hebrew name would otherwise be drawn on its other side."""
    assert plain("المدقق", 40) == "\u2068المدقق\u2069" and plain("Ada 李树", 40) == "Ada 李树"  # noqa: RUF001 - Arabic
    long = plain("ש" * 90 + "*", 40)
    assert len(long) <= 40 and long.startswith("\u2068") and long.endswith("…\u2069")
    assert plain("\u2069 ab \u2067", 40) == "ab"


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (
            events.GateRaised(1, 1, 1, "cap", None, "", "The cap on cost is reached.", ()),
            "❓ The cap on cost is reached.",
        ),
        (events.GateRaised(1, 1, 1, "question", 2, "Nora", "Oak?", ()), "❓ Nora asks: Oak?"),
        (
            events.Intervened(
                1, 1, 2, "Lea", "silence", "nudged", "Lea has stopped working on #3", names=True
            ),
            "🩺 Lea has stopped working on #3 (reminded)",
        ),
        (
            events.Intervened(1, 1, 2, "Lea", "loop", "nudged", "called run 3 times"),
            "🩺 Reminded Lea: Called run 3 times",
        ),
        (
            events.Intervened(1, 1, None, "", "stall", "asked", "no agent works"),
            "🩺 Asked people about the whole task: No agent works",
        ),
        (events.AgentJoined(1, 1, 2, "Auditor 2", "auditor"), "👋 Auditor 2 joined"),
        (events.AgentJoined(1, 1, 2, "Nora", "editor"), "👋 Nora joined: editor"),
        (events.AgentJoined(1, 1, 2, "Nora 2", "editor", replaces="Nora"), "👋 Nora 2 took over from Nora"),
        (
            events.AssignmentChanged(
                1, 1, 2, "Index", "Ada", "Nora 2", "open", "taken over from Nora", taken_from="Nora"
            ),
            "📌 Nora 2 took over: Index",
        ),
        (
            events.AgentChanged(1, 1, 2, "Nora", "model", "You", "small"),
            "✋ Nora was given another model by You",
        ),
        (events.CodeRan(1, 1, 2, "Lea", "pytest", 1, "exit", ""), "⚙️ Lea ran pytest: exit code 1"),
    ],
    ids=lambda value: "",
)
def test_a_line_of_the_log_is_a_whole_sentence(body: events.EventBody, line: str) -> None:
    """It names who it is about once, and nobody where the engine itself asks."""
    assert log_line(body) == line


@pytest.mark.parametrize("text", ["*" * 90, "a*b_c " * 30, "sh -c 'check *.md; cat a.md chapters/*.md | wc'"])
def test_what_is_cut_says_so_however_much_is_escaped(text: str) -> None:
    """Escaping makes a text longer than its limit after it was cut already."""
    assert plain(text, 40).endswith("…") and len(plain(text, 40)) <= 40
