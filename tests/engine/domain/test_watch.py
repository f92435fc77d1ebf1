"""The monitoring rules as pure judgements."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.snapshot import (
    Acted,
    AgentMessage,
    OpenWork,
    Snapshot,
    Waiting,
    Watched,
    WatchOptions,
)
from engine.domain.wait_graph import waits_for_cycles
from engine.domain.waits import Awaited
from engine.domain.watch import (
    QuietTask,
    beyond_the_plan,
    chatter,
    delegation_relays,
    heads_at_members_work,
    judge,
    judge_loop,
    judge_quiet,
    runaway_recruiting,
    silent_agents,
    unanswered,
    waiting_in_circles,
)

NOW = 10_000.0
OPTIONS = WatchOptions()


def agent(number: int, **changes: object) -> Watched:
    """A member of agent 1, idle for long."""
    base = Watched(
        id=number,
        name=f"A{number}",
        role="member" if number > 1 else "boss",
        group_id=1,
        head_id=1 if number > 1 else None,
        leads=number == 1,
        active=True,
        busy=False,
        active_at=NOW - 1_000,
        joined_at=NOW - 2_000,
        steps=3,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def message(number: int, from_id: int, to_id: int, **changes: object) -> AgentMessage:
    """Short words that want an answer."""
    return replace(AgentMessage(number, from_id, to_id, True, 20, NOW - 500 + number, "why?"), **changes)  # type: ignore[arg-type]


def work(number: int, assignee: int, state: str = "open", giver: int = 1) -> OpenWork:
    """An assignment of the boss."""
    return OpenWork(number, "part", state, giver, assignee)


def test_a_silent_agent_is_found_only_when_idle_with_work_and_waiting_for_nobody() -> None:
    """Busy agents, those without work, those who ask people and those who wait for a busy one are left."""
    snapshot = Snapshot(1, (agent(1), agent(2), agent(3, busy=True), agent(4)), (work(7, 2),))
    found = list(silent_agents(snapshot, NOW, OPTIONS))
    assert [(f.agent_id, f.action) for f in found] == [(2, "nudged")]
    asking = replace(snapshot, asking=frozenset({2}))
    assert not list(silent_agents(asking, NOW, OPTIONS))
    waiting = replace(snapshot, messages=(message(1, 2, 3),))
    assert not list(silent_agents(waiting, NOW, OPTIONS))
    beside = replace(snapshot, work=(work(7, 2), work(8, 3)))
    assert not list(silent_agents(beside, NOW, OPTIONS)), "it may wait for the other's work"
    recent = replace(snapshot, agents=(agent(1), agent(2, active_at=NOW - 5)))
    assert not list(silent_agents(recent, NOW, OPTIONS))


def test_who_waits_for_a_file_or_an_assignment_is_not_silent() -> None:
    """Whatever was done about it before: waiting replaces nobody."""
    snapshot = Snapshot(1, (agent(1), agent(2), agent(3)), (work(7, 2),))
    for what in (Awaited("main.py"), Awaited(assignment=8)):
        waiting = replace(snapshot, waiting=(Waiting(2, what, NOW - 900, 3),))
        acted = {("silence", "#7"): Acted(4, NOW - 1_000), ("failed", "2"): Acted(1, NOW - 2_000)}
        assert not list(silent_agents(replace(waiting, acted=acted), NOW, OPTIONS))


def test_when_nobody_works_the_giver_hears_what_its_member_waits_for() -> None:
    """The one that waits cannot help itself, and is not told to go on."""
    waits = replace(work(7, 2), waits_for="main.py")
    nudges = judge_quiet(QuietTask(1, None, (waits,), 0), OPTIONS)
    assert isinstance(nudges, list)
    assert [(n.agent_id, "waits for main.py" in n.text) for n in nudges] == [(1, True)]


def test_agents_that_wait_for_each_others_assignments_are_a_circle() -> None:
    """Each waits for what the other is to hand in."""
    waiting = (
        Waiting(2, Awaited(assignment=8), NOW - 50, 3),
        Waiting(3, Awaited(assignment=7), NOW - 40, 2),
    )
    given = (work(7, 2), work(8, 3))
    snapshot = Snapshot(1, (agent(1, busy=True), agent(2), agent(3)), given, waiting=waiting)
    (cycle,) = waits_for_cycles(snapshot)
    assert {(wait.agent_id, wait.for_id, wait.why) for wait in cycle} == {(2, 3, "#8"), (3, 2, "#7")}


def test_silence_climbs_from_nudge_to_report_to_the_people() -> None:
    """What the rule did before decides what it does next; only an agent whose model failed is replaced."""
    snapshot = Snapshot(1, (agent(1), agent(2)), (work(7, 2),))

    def after(times: int, ago: float = 1_000, *, failed: bool = False) -> list[str]:
        acted = {("silence", "#7"): Acted(times, NOW - ago)} if times else {}
        acted |= {("failed", "2"): Acted(1, NOW - 2_000)} if failed else {}
        return [f.action for f in silent_agents(replace(snapshot, acted=acted), NOW, OPTIONS)]

    assert [after(n) for n in (0, 1, 2, 4, 5)] == [
        ["nudged"],
        ["reported"],
        ["reported"],
        ["reported"],
        ["asked"],
    ]
    assert after(2, failed=True) == ["replaced"]
    assert after(1, ago=1) == []


def test_a_head_with_members_is_never_replaced() -> None:
    """Its group would be left without it: it is reported instead."""
    acted = {("silence", "#7"): Acted(OPTIONS.replace_after, 0.0), ("failed", "2"): Acted(1, 0.0)}
    snapshot = Snapshot(1, (agent(1), agent(2, leads=True)), (work(7, 2),), acted=acted)
    assert [f.action for f in silent_agents(snapshot, NOW, OPTIONS)] == ["reported"]


def test_a_circle_needs_every_agent_in_it_idle() -> None:
    """A asks B, B asks A: named to both; when one of them is at work there is no circle."""
    messages = (message(1, 2, 3), message(2, 3, 4), message(3, 4, 2))
    snapshot = Snapshot(1, (agent(1), agent(2), agent(3), agent(4)), messages=messages)
    (found,) = waiting_in_circles(snapshot, NOW, OPTIONS)
    assert {message.agent_id for message in found.messages} == {2, 3, 4}
    busy = replace(snapshot, agents=(agent(1), agent(2), agent(3, busy=True), agent(4)))
    assert not list(waiting_in_circles(busy, NOW, OPTIONS))
    answered = replace(snapshot, messages=(*messages, message(4, 2, 4, needs_answer=False)))
    assert not list(waiting_in_circles(answered, NOW, OPTIONS))


def test_a_cycle_through_work_and_messages_is_found() -> None:
    """The boss waits for the work, its member for the boss's answer."""
    snapshot = Snapshot(1, (agent(1), agent(2)), (work(7, 2),), (message(1, 2, 1),))
    (found,) = waiting_in_circles(snapshot, NOW, OPTIONS)
    assert {message.agent_id for message in found.messages} == {1, 2}


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), max_size=14))
def test_cycles_are_cycles_and_have_no_common_agent(pairs: list[tuple[int, int]]) -> None:
    """Each found circle closes, and no agent is in two of them; one exists if the graph has a cycle."""
    messages = tuple(message(n, a, b) for n, (a, b) in enumerate(pairs) if a != b)
    snapshot = Snapshot(1, tuple(agent(n) for n in range(1, 7)), messages=messages)
    cycles = waits_for_cycles(snapshot)
    seen: list[int] = []
    for cycle in cycles:
        ids = [wait.agent_id for wait in cycle]
        assert [wait.for_id for wait in cycle] == ids[1:] + ids[:1]
        seen += ids
    assert len(seen) == len(set(seen))


def test_an_unanswered_question_is_brought_to_mind_then_given_up() -> None:
    """First the one who owes the answer hears, then the one who waits; then nobody."""
    snapshot = Snapshot(1, (agent(1), agent(2), agent(3)), (work(7, 2),), (message(1, 2, 3),))
    assert not list(unanswered(replace(snapshot, work=()), NOW, OPTIONS))
    (first,) = unanswered(snapshot, NOW, OPTIONS)
    assert first.agent_id == 3
    again = replace(snapshot, acted={("unanswered", "2-3"): Acted(1, NOW - 100)})
    (second,) = unanswered(again, NOW, OPTIONS)
    assert second.agent_id == 2
    assert not list(
        unanswered(replace(snapshot, acted={("unanswered", "2-3"): Acted(2, NOW - 99)}), NOW, OPTIONS)
    )


def test_work_that_is_waited_for_is_no_unanswered_question() -> None:
    """A head that waits for its members' assignments is not told that no answer comes, nor they to answer:
    they may wait for something themselves, and stopped work has a rule of its own."""
    waits = Waiting(2, Awaited(assignment=8), NOW - 1_000, 3)
    given = (work(7, 2), work(8, 3, giver=2))
    snapshot = Snapshot(1, (agent(1), agent(2), agent(3)), given, waiting=(waits,))
    assert not list(unanswered(snapshot, NOW, OPTIONS))
    assert [found.agent_id for found in silent_agents(snapshot, NOW, OPTIONS)] == [3]


def test_chatter_counts_only_short_words_in_turn_after_the_last_product() -> None:
    """Six alternating short messages are chatter; a written file, a long text or a monologue is not."""
    messages = tuple(message(n, 2 + n % 2, 3 - n % 2) for n in range(6))
    snapshot = Snapshot(1, (agent(1), agent(2), agent(3)), messages=messages)
    (found,) = chatter(snapshot, NOW, OPTIONS)
    assert found.mute is None and not any(message.wakes for message in found.messages)
    assert not list(chatter(replace(snapshot, messages=messages[:5]), NOW, OPTIONS))
    wrote = replace(snapshot, agents=(agent(1), agent(2, produced_at=NOW - 497), agent(3)))
    assert not list(chatter(wrote, NOW, OPTIONS))
    long = replace(snapshot, messages=(*messages[:3], replace(messages[3], chars=2_000), *messages[4:]))
    assert not list(chatter(long, NOW, OPTIONS))
    alone = replace(snapshot, messages=tuple(message(n, 2, 3) for n in range(6)))
    assert not list(chatter(alone, NOW, OPTIONS))


def test_continued_chatter_is_muted_and_reported() -> None:
    """The second time their talk no longer wakes them and their head hears of it."""
    messages = tuple(message(n, 2 + n % 2, 3 - n % 2) for n in range(8))
    acted = {("chatter", "2-3"): Acted(1, NOW - 497)}
    (found,) = chatter(
        Snapshot(1, (agent(1), agent(2), agent(3)), messages=messages, acted=acted), NOW, OPTIONS
    )
    assert found.mute == (2, 3)
    assert [message.agent_id for message in found.messages if message.wakes] == [1]


def test_a_head_overreaches_only_while_a_member_idles_and_writes_less() -> None:
    """Six writes of its own with an idle member; a member that writes as much is no reason."""
    head = agent(1, writes=6)
    (found,) = heads_at_members_work(Snapshot(1, (head, agent(2))), NOW, OPTIONS)
    assert found.agent_id == 1
    assert not list(heads_at_members_work(Snapshot(1, (head, agent(2, busy=True))), NOW, OPTIONS))
    assert not list(heads_at_members_work(Snapshot(1, (head, agent(2, writes=6))), NOW, OPTIONS))
    assert not list(heads_at_members_work(Snapshot(1, (head,)), NOW, OPTIONS))
    judged = Snapshot(1, (head, agent(2)), audited=True)
    assert not list(heads_at_members_work(judged, NOW, OPTIONS)), "the result is being judged"


def test_recruits_without_work_are_counted_by_head() -> None:
    """Four idle recruits who never had an assignment and never answered anything; being of use ends it."""
    snapshot = Snapshot(1, (agent(1), *(agent(n, steps=1) for n in range(2, 6))))
    (found,) = runaway_recruiting(snapshot, NOW, OPTIONS)
    assert found.agent_id == 1
    assert not list(runaway_recruiting(replace(snapshot, given=frozenset({2})), NOW, OPTIONS))
    assert not list(runaway_recruiting(replace(snapshot, messages=(message(1, 2, 1),)), NOW, OPTIONS))
    asked = (agent(1), agent(2, steps=2), *(agent(n, steps=1) for n in range(3, 6)))
    assert not list(runaway_recruiting(replace(snapshot, agents=asked), NOW, OPTIONS))


def test_a_relay_is_a_chain_of_heads_with_one_member_each() -> None:
    """Three heads with one member each above an agent: told to do it itself; a chain that works is left."""
    chain = tuple(agent(n, head_id=n - 1 if n > 1 else None, leads=n < 4) for n in range(1, 5))
    (found,) = delegation_relays(Snapshot(1, chain), NOW, OPTIONS)
    assert found.agent_id == 4
    worked = (chain[0], replace(chain[1], writes=1), *chain[2:])
    assert not list(delegation_relays(Snapshot(1, worked), NOW, OPTIONS))
    assert not list(delegation_relays(Snapshot(1, (*chain, agent(9))), NOW, OPTIONS))


def test_the_people_are_asked_once_when_the_plan_is_outgrown() -> None:
    """Beyond one and a half times the agents they saw."""
    crowd = tuple(agent(n) for n in range(1, 8))
    (found,) = beyond_the_plan(Snapshot(1, crowd, plan_agents=4), NOW, OPTIONS)
    assert found.action == "asked" and found.ask
    assert not list(beyond_the_plan(Snapshot(1, crowd, plan_agents=5), NOW, OPTIONS))
    told = {("plan", "task"): Acted(1, 0.0)}
    assert not list(beyond_the_plan(Snapshot(1, crowd, plan_agents=4, acted=told), NOW, OPTIONS))


def test_a_loop_is_said_reported_and_ended() -> None:
    """At three, six and nine of the same."""
    actions = [judge_loop(times, OPTIONS) for times in range(1, 11)]
    assert actions == [
        "",
        "",
        "nudged",
        "nudged",
        "nudged",
        "reported",
        "nudged",
        "nudged",
        "paused",
        "paused",
    ]


def test_a_quiet_task_wakes_those_concerned_and_asks_after_three_rounds() -> None:
    """Open work wakes its agent, a submission its reviewer, nothing the boss, a verdict due the auditor."""
    open_work = QuietTask(1, None, (work(7, 2), work(8, 3, "submitted")), 0)
    nudges = judge_quiet(open_work, OPTIONS)
    assert isinstance(nudges, list) and [n.agent_id for n in nudges] == [2, 1]
    nothing = judge_quiet(QuietTask(1, None, (), 2), OPTIONS)
    assert isinstance(nothing, list) and [n.agent_id for n in nothing] == [1]
    audit = judge_quiet(QuietTask(1, 9, (), 0), OPTIONS)
    assert isinstance(audit, list) and [n.agent_id for n in audit] == [9]
    asked = judge_quiet(QuietTask(1, None, (), 3), OPTIONS)
    assert not isinstance(asked, list) and asked.rule == "stall"
    unjudged = judge_quiet(QuietTask(1, 9, (), 3), OPTIONS)
    assert not isinstance(unjudged, list) and unjudged.rule == "audit"


def test_a_healthy_task_is_left_alone() -> None:
    """Agents at work, work given, questions answered: no rule has anything to say."""
    agents = (agent(1), agent(2, busy=True), agent(3, busy=True))
    messages = (message(1, 2, 3), message(2, 3, 2, needs_answer=False))
    snapshot = Snapshot(1, agents, (work(7, 2), work(8, 3)), messages, given=frozenset({2, 3}))
    assert judge(snapshot, NOW, OPTIONS) == []


def test_what_is_awaited_is_shown_by_its_name() -> None:
    """A file by its path, an assignment by its number, an answer by who owes it or that one's number."""
    shown = (
        (Awaited("main.py"), "main.py"),
        (Awaited(assignment=8), "#8"),
        (Awaited(answer_of=4, name="Ada"), "an answer of Ada"),
        (Awaited(answer_of=4), "an answer of 4"),
    )
    for awaited, text in shown:
        assert awaited.shown == text


def test_a_question_about_a_quiet_task_counts_what_is_open() -> None:
    """None, one and several assignments are each said as they are."""
    work = tuple(OpenWork(n, f"part {n}", "open", giver_id=1, assignee_id=2) for n in (1, 2))
    said = []
    for count in (0, 1, 2):
        asked = judge_quiet(QuietTask(1, None, work[:count], OPTIONS.quiet_rounds), OPTIONS)
        said.append(getattr(asked, "question", ""))
    assert "though the boss has not ended the task" in said[0]
    assert "though 1 assignment is open" in said[1] and "though 2 assignments are open" in said[2]
