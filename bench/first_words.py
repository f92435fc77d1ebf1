"""How long a person waits at the start of a task of the embedded model, and whether anything stays silent.

python -m bench.first_words [GOAL]
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from engine.assembly import OpenEngine, open_engine
from engine.commands import StartTask
from engine.events import AgentSpoke, TaskEnded
from engine.settings import EngineSettings

GOAL = "Write rename.py: it renames the .jpg files in a folder to 001.jpg, 002.jpg and so on, by date."


class Watch:
    """What a person could see, and when."""

    def __init__(self) -> None:
        self.began = self.seen_at = time.monotonic()
        self.longest, self.where = 0.0, ""
        self.shown: set[str] = set()
        self.last: object = None

    def sign(self, state: object) -> None:
        """Note a sign of work, if it is another than before."""
        if state != self.last:
            now = time.monotonic()
            if now - self.seen_at > self.longest:
                self.longest, self.where = now - self.seen_at, f"{self.last} -> {state}"
            self.seen_at, self.last = now, state

    def once(self, name: str, detail: str = "") -> None:
        """Print when something was seen first."""
        if name not in self.shown:
            self.shown.add(name)
            print(f"{name:40}{time.monotonic() - self.began:7.1f} s  {detail}", flush=True)


async def follow_calls(opened: OpenEngine, task: int, watch: Watch) -> None:
    """Look at the model calls as the card does."""
    while True:
        for call in await opened.engine.look.model_calls(task):
            watch.sign((call.sent, call.written))
            if call.sent:
                watch.once("the model reads", f"{call.written.read:.0%}")
            if call.written.tokens:
                watch.once("the model writes", f"{call.written.tokens} tokens")
            if call.written.words:
                watch.once("words of the model on the card", call.written.words)
        await asyncio.sleep(0.5)


async def main(goal: str) -> None:
    """Start one task and print what was seen when."""
    with tempfile.TemporaryDirectory() as folder:
        settings = EngineSettings(local_seed=1).model_copy(
            update={"data_dir": Path(folder), "database_url": "", "max_minutes": 15}
        )
        opened = await open_engine(settings)
        await opened.engine.start()
        watch = Watch()
        task = await opened.engine.handle(StartTask(goal, "bench", "bench", attended=False))
        following = asyncio.create_task(follow_calls(opened, task, watch))
        async for event in opened.engine.events():
            watch.sign(event.seq)
            if isinstance(event.body, AgentSpoke):
                watch.once("an agent speaks in the channel", event.body.text[:80])
            if isinstance(event.body, TaskEnded):
                watch.once("the end")
                break
        following.cancel()
        usual = await opened.engine.look.usual_seconds(task)
        load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
        print(f"longest time without a sign {watch.longest:.1f} s ({watch.where})")
        print(f"median step {usual} s; load {load}")
        await opened.engine.stop()
        await opened.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else GOAL))
