"""What the embedded model makes of small works: `python -m bench.works ARM HALF OUT.jsonl`.

ARM `plain`: one answer to the goal alone, the bare model. ARM `product`: a whole task. HALF `seen`,
`unseen` or `fresh`. Each result is appended to OUT; a work that is there is not done again. `table OUT...`
prints what is there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.works import FRESH, KINDS, SEEN, UNSEEN, Work
from bench.works.marking import claims, files_in, mark, prose_of
from engine.assembly import OpenEngine, open_engine
from engine.commands import Limits, StartTask, StopTask
from engine.events import TaskEnded
from engine.llm.local import LocalModel
from engine.llm.providers.openai_chat import OpenAIChat
from engine.ports import ChatMessage, ChatRequest
from engine.queries import StepView
from engine.sandbox import SandboxLimits, choose_sandbox, environment_folder, prepare_environment
from engine.settings import EngineSettings
from scenarios.common import say, stop_left

PLAIN = "Answer with each file whole, in one code block, after a line with its name."
PLAIN_TOKENS = 1100
TEMPERATURE = 0.2
SPACE = "bench:works"
MOST_STEPS = 200


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one work; `false_claims`: sentences of a report that claim success of a failed work.

    `once`: whether the first version of each file passes by itself; `writings`: versions of all files;
    `after`: the tool whose answer each second writing followed. They show what each means did within one run.
    """

    arm: str
    name: str
    kind: str
    passed: bool
    held: int
    reached: int
    note: str
    seconds: float
    tokens: int
    state: str
    agents: int
    false_claims: tuple[str, ...]
    report: str
    files: Mapping[str, str]
    once: bool | None = None
    writings: int = 0
    after: tuple[str, ...] = ()


async def plain(works: Sequence[Work], settings: EngineSettings, out: Path, cap_s: float) -> None:
    """Ask the bare model once for each work."""
    model = LocalModel(settings, say)
    chat = OpenAIChat(model.fit(settings), await model.start(), say)
    folder = environment_folder(settings.data_dir, settings.run_packages)
    prepare_environment(folder, settings.run_packages)
    sandbox = choose_sandbox(folder, SandboxLimits())
    try:
        for work in works:
            began = time.monotonic()
            messages = (ChatMessage("user", f"{work.goal}\n\n{PLAIN}"),)
            request = ChatRequest(1, 1, "member", messages, (), max_tokens=PLAIN_TOKENS)
            try:
                async with asyncio.timeout(cap_s):
                    answer = await chat.complete(request)
                text, tokens, state = answer.text, answer.usage.completion, "answered"
            except TimeoutError:
                text, tokens, state = "", 0, "cap"
            seconds = time.monotonic() - began
            files = files_in(text, work.files)
            marked = await mark(work, files, sandbox)
            false = () if marked.passed else tuple(claims(prose_of(text)))
            _append(
                out,
                Result(
                    "plain", work.name, work.kind, marked.passed, marked.held, marked.reached, marked.note,
                    seconds, tokens, state, 1, false, prose_of(text), _texts(files),
                ),
            )  # fmt: skip
    finally:
        await chat.close()
        await model.stop()


async def product(works: Sequence[Work], settings: EngineSettings, out: Path, cap_s: float) -> None:
    """Run a task for each work, one after the other."""
    opened = await open_engine(settings.model_copy(update={"audit_rounds": 0}), say=say)
    try:
        await stop_left(opened.engine, SPACE)
        await opened.engine.start()
        for work in works:
            _append(out, await _task(opened, work, cap_s))
    finally:
        await opened.engine.stop()
        await opened.close()


async def _task(opened: OpenEngine, work: Work, cap_s: float) -> Result:
    began = time.monotonic()
    start = StartTask(work.goal, "bench", SPACE, Limits(agents=6, depth=2), attended=False)
    task = await opened.engine.handle(start)
    basis = "cap"
    try:
        async with asyncio.timeout(cap_s):
            async for event in opened.engine.events():
                if isinstance(event.body, TaskEnded) and event.body.task_id == task:
                    basis = event.body.basis
                    break
    except TimeoutError:
        await opened.engine.handle(StopTask(task, "bench", "the bench's cap"))
    seconds = time.monotonic() - began
    look = opened.engine.look
    view, agents = await look.task(task), await look.agents(task)
    files = {file.path: await look.read_file(task, file.path) for file in await look.files(task)}
    marked = await mark(work, files, opened.sandbox)
    versions = {path: await look.history(task, path) for path in files}
    first = {path: await look.read_file(task, path, made[-1].id) for path, made in versions.items()}
    once = marked if first == files else await mark(work, first, opened.sandbox)
    said = [*claims(view.report), *(["verified"] if view.verified else [])]
    false = () if marked.passed else tuple(said)
    return Result(
        "product", work.name, work.kind, marked.passed, marked.held, marked.reached, marked.note, seconds,
        view.spend.completion_tokens, f"{view.state}/{basis}", len(agents), false, view.report, _texts(files),
        once.passed, sum(map(len, versions.values())),
        tuple([tool for agent in agents for tool in rewrites(await look.steps(agent.id, limit=MOST_STEPS))]),
    )  # fmt: skip


def rewrites(steps: Iterable[StepView]) -> Iterator[str]:
    """Yield, for each file that an agent wrote once more, the tool that it had called last before."""
    written: set[str] = set()
    last = ""
    in_order = sorted(steps, key=lambda step: step.step)
    for name, arguments, _ in (call for step in in_order for call in step.calls):
        if name == "write_file":
            path = str(json.loads(arguments).get("path"))
            if path in written:
                yield last
            written.add(path)
        last = name


def _texts(files: Mapping[str, bytes]) -> dict[str, str]:
    return {path: data.decode("utf-8", "replace")[:6000] for path, data in files.items()}


def _append(out: Path, result: Result) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(result)) + "\n")


def known(out: Path) -> list[Result]:
    """Return the results that a file holds; a line cut off by a crash is left out."""
    found = []
    for line in out.read_text(encoding="utf-8").splitlines() if out.exists() else ():
        try:
            found.append(Result(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def table(results: Sequence[Result]) -> str:
    """Return passes by kind and arm, with seconds and tokens written of one work, and false claims."""
    arms = list(dict.fromkeys(result.arm for result in results))
    rows = [_row(kind, arms, [r for r in results if r.kind == kind]) for kind in KINDS]
    rows.append(_row("all", arms, results))
    kept = [result for result in results if result.once is not None]
    rows += [_rewritten(kept)] if kept else []
    head = f"{'kind':26}" + "".join(f"{arm + ': pass':>16}{'s':>7}{'tokens':>8}{'false':>7}" for arm in arms)
    return "\n".join([head, *rows])


def _rewritten(results: Sequence[Result]) -> str:
    """Return what a second writing did: the first versions of the same runs, marked by themselves."""
    lines = [f"first versions of {len(results)} runs: {sum(bool(r.once) for r in results)} pass"]
    for tool in sorted({tool for result in results for tool in result.after}):
        own = [result for result in results if tool in result.after]
        gained = sum(result.passed and not result.once for result in own)
        lost = sum(bool(result.once) and not result.passed for result in own)
        lines.append(f"written once more after {tool}: {len(own)}, right by it {gained}, wrong by it {lost}")
    return "\n".join(lines)


def _row(kind: str, arms: Iterable[str], results: Sequence[Result]) -> str:
    row = f"{kind:26}"
    for arm in arms:
        own = [result for result in results if result.arm == arm]
        count = max(len(own), 1)
        passed = f"{sum(result.passed for result in own)} of {len(own)}"
        seconds, tokens = (sum(r.seconds for r in own) / count, sum(r.tokens for r in own) / count)
        false = sum(bool(result.false_claims) for result in own)
        row += f"{passed:>16}{seconds:>7.0f}{tokens:>8.0f}{false:>7}"
    return row


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.works", description=__doc__)
    parser.add_argument("arm", choices=("plain", "product", "table"))
    parser.add_argument("rest", nargs="+", help="HALF and OUT, or for `table` the files of results")
    parser.add_argument("--cap", type=float, default=480, help="seconds a work")
    parser.add_argument("--only", default="", help="names of works, separated by commas")
    parser.add_argument("--data", type=Path, default=Path("var/works"), help="folder for what is made")
    return parser.parse_args(words)


def main() -> None:
    """Run an arm on a half, or print the table."""
    given = parsed()
    if given.arm == "table":
        print(table([result for path in given.rest for result in known(Path(path))]))
        return
    half, out = given.rest[0], Path(given.rest[1])
    works: Sequence[Work] = {"seen": SEEN, "unseen": UNSEEN, "fresh": FRESH}[half]
    done = {result.name for result in known(out) if result.arm == given.arm}
    only = set(given.only.split(",")) if given.only else {work.name for work in works}
    todo = [work for work in works if work.name not in done and work.name in only]
    settings = EngineSettings(local_seed=1, model_timeout_s=given.cap).model_copy(
        update={"data_dir": given.data, "database_url": ""}
    )
    arm = plain if given.arm == "plain" else product
    asyncio.run(arm(todo, settings, out, given.cap))


if __name__ == "__main__":
    main()
