"""Playing a Gobang program in the sandbox: the paper's four criteria, seen and not believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.errors import Invalid, NotConfigured
from engine.ports import RunRequest, RunResult, Sandbox, SandboxSession
from scenarios.common import Criterion

SIZE = 15
EMPTY, USER, AI = ".", "X", "O"
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
MOVE_S = 20.0
MAX_MOVES = SIZE * SIZE // 2 + 1
_NAMES = ("runs without error", "the user moves", "the AI moves", "the game ends")

Grid = tuple[str, ...]


@dataclass(slots=True)
class Game:
    """What was seen of a game so far."""

    grid: Grid = (EMPTY * SIZE,) * SIZE
    user_moved: int = 0
    ai_moved: int = 0
    exit_code: int | None = None
    trouble: str = ""
    said: list[str] = field(default_factory=list)


async def play_gobang(sandbox: Sandbox, files: Mapping[str, bytes]) -> list[Criterion]:
    """Start `main.py` and play until it ends -> the four criteria."""
    game = Game()
    if "main.py" not in files:
        game.trouble = "there is no main.py"
        return criteria_of(game)
    try:
        session, first = await sandbox.open(RunRequest(("python", "main.py"), files, timeout_s=MOVE_S))
    except (NotConfigured, Invalid) as error:
        game.trouble = str(error)
        return criteria_of(game)
    try:
        await _play(session, first, game)
    finally:
        await session.close()
    return criteria_of(game)


async def _play(session: SandboxSession, first: RunResult, game: Game) -> None:
    _see(game, first)
    for _ in range(MAX_MOVES):
        if game.exit_code is not None or game.trouble:
            return
        move = choose(game.grid)
        if move is None:
            game.trouble = "the board is full and the game does not end"
            return
        before = game.grid
        _see(game, await session.send(f"{move[0] + 1} {move[1] + 1}\n", MOVE_S))
        _judge_move(game, before, move)


def _see(game: Game, result: RunResult) -> None:
    """Take in what the program printed, and whether it ended."""
    game.said.append(result.output)
    shown = boards(result.output)
    if shown:
        game.grid = shown[-1]
    if result.exit_code != -1 or result.ended != "exit":
        game.exit_code = result.exit_code
        if result.exit_code != 0 or result.ended != "exit":
            game.trouble = f"it ended with {result.ended} {result.exit_code}: {result.output[-200:].strip()}"


def _judge_move(game: Game, before: Grid, move: tuple[int, int]) -> None:
    added_user = _count(game.grid, USER) - _count(before, USER)
    added_ai = _count(game.grid, AI) - _count(before, AI)
    game.user_moved += game.grid[move[0]][move[1]] == USER and added_user == 1
    game.ai_moved += added_ai == 1
    if game.exit_code is None and (added_user, added_ai) != (1, 1):
        game.trouble = f"after {move[0] + 1} {move[1] + 1} there are {added_user} X and {added_ai} O more"


def _count(grid: Grid, stone: str) -> int:
    return sum(row.count(stone) for row in grid)


def boards(text: str) -> list[Grid]:
    """Every board printed in a text: 15 lines in a row whose last 15 cells are stones or empty."""
    found: list[Grid] = []
    rows: list[str] = []
    for line in text.splitlines():
        cells = line.replace("|", " ").split()[-SIZE:]
        if len(cells) == SIZE and set(cells) <= {EMPTY, USER, AI}:
            rows.append("".join(cells))
        else:
            rows.clear()
        if len(rows) == SIZE:
            found.append(tuple(rows))
            rows.clear()
    return found


def choose(grid: Grid) -> tuple[int, int] | None:
    """A plain move: where the user's own line gets longest or the AI's longest is stopped."""
    free = [(r, c) for r in range(SIZE) for c in range(SIZE) if grid[r][c] == EMPTY]
    if not free:
        return None
    middle = SIZE // 2
    return max(free, key=lambda at: (_worth(grid, at), -abs(at[0] - middle) - abs(at[1] - middle)))


def _worth(grid: Grid, at: tuple[int, int]) -> int:
    own = max(_line(grid, at, USER, step) for step in DIRECTIONS)
    other = max(_line(grid, at, AI, step) for step in DIRECTIONS)
    return max(own * 2 + 1, other * 2)


def _line(grid: Grid, at: tuple[int, int], stone: str, step: tuple[int, int]) -> int:
    """Stones in a row through `at` if `stone` were set there, 5 at most."""
    total = 1
    for sign in (1, -1):
        row, column = at[0] + sign * step[0], at[1] + sign * step[1]
        while 0 <= row < SIZE and 0 <= column < SIZE and grid[row][column] == stone:
            total, row, column = total + 1, row + sign * step[0], column + sign * step[1]
    return min(total, 5)


def criteria_of(game: Game) -> list[Criterion]:
    """The paper's four criteria."""
    ended = game.exit_code == 0 and (game.user_moved + game.ai_moved) > 0
    clean = not game.trouble and not any("Traceback" in text for text in game.said)
    last = game.said[-1].strip().splitlines()[-1:] if game.said else []
    seen: Sequence[tuple[bool, str]] = (
        (clean, game.trouble),
        (game.user_moved > 0, f"{game.user_moved} moves"),
        (game.ai_moved > 0, f"{game.ai_moved} moves"),
        (ended, last[0][:80] if ended and last else ""),
    )
    return [Criterion(name, met, note) for name, (met, note) in zip(_NAMES, seen, strict=True)]
