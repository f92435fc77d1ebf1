"""Where attacks run: a host with planted things, and the sandbox as root or as an ordinary user."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import resource
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from engine.ports import RunRequest, RunResult, Sandbox
from engine.sandbox import SandboxLimits, choose_sandbox

MIB = 1024 * 1024
ORDINARY_UID = 61_150
LIMITS = SandboxLimits(
    memory=192 * MIB,
    work=24 * MIB,
    tmp=16 * MIB,
    shared=16 * MIB,
    files=2000,
    file=4 * MIB,
    processes=16,
    output=64 * 1024,
    flood=2 * MIB,
)
Run = Callable[[RunRequest], RunResult]


class PlantedHost:
    """Things an attack would like to reach, on the side of the host."""

    def __init__(self) -> None:
        self.secret = secrets.token_hex(16)
        self.folder = Path(tempfile.mkdtemp(prefix="planted-"))
        self.folder.chmod(0o777)
        self._canary = self.folder / "canary"
        self._canary.write_text(self.secret)
        self._canary.chmod(0o666)
        self._handles = self._plant_handles()
        self._process = self._plant_process()
        self._tcp = socket.create_server(("0.0.0.0", 0))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("0.0.0.0", 0))
        self._unix = socket.socket(socket.AF_UNIX)
        self._unix.bind(str(self.folder / "socket"))
        (self.folder / "socket").chmod(0o777)
        self._abstract = socket.socket(socket.AF_UNIX)
        self._abstract.bind("\0" + self.secret[:8])
        for listener in (self._unix, self._abstract):
            listener.listen()
        for listener in self._listeners().values():
            listener.setblocking(False)

    def _plant_handles(self) -> list[int]:
        """Open handles that any program inherits which this process starts, unless somebody closes them."""
        opened = [
            os.open(self._canary, os.O_RDWR),
            os.open(self._canary, os.O_RDONLY),
            os.open(self.folder, os.O_RDONLY),
            os.open("/", os.O_RDONLY),
            os.memfd_create("planted"),
            os.eventfd(0),
            *os.pipe(),
        ]
        highest = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 64  # one for each host
        opened.append(fcntl.fcntl(opened[0], fcntl.F_DUPFD, min(highest, 60_000)))
        for handle in opened:
            os.set_inheritable(handle, True)
        return opened

    def _plant_process(self) -> subprocess.Popen[bytes]:
        words, env = ["sleep", "600"], {"BOT_TOKEN": self.secret}
        if os.geteuid() != 0:
            return subprocess.Popen(words, env=env)
        return subprocess.Popen(words, env=env, user=ORDINARY_UID, group=ORDINARY_UID, extra_groups=[])

    def _listeners(self) -> dict[str, socket.socket]:
        return {"tcp": self._tcp, "udp": self._udp, "unix": self._unix, "abstract": self._abstract}

    def told(self) -> dict[str, object]:
        """What the attacker knows: everything but the secret."""
        return {
            "canary": str(self._canary),
            "pid": self._process.pid,
            "bot": os.getpid(),
            "tcp": self._tcp.getsockname()[1],
            "udp": self._udp.getsockname()[1],
            "address": socket.gethostbyname(socket.gethostname()),
            "unix": str(self.folder / "socket"),
            "abstract": self.secret[:8],
        }

    def reached(self) -> list[str]:
        """Listeners that something reached since last time."""
        found = []
        for name, listener in self._listeners().items():
            try:
                listener.recv(10) if name == "udp" else listener.accept()
            except BlockingIOError:
                continue
            found.append(name)
        return found

    def canary(self) -> str:
        """Content of the planted file."""
        return self._canary.read_text()

    def alive(self) -> bool:
        """Whether the planted process is alive and not stopped."""
        state = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state in "SRD"

    def close(self) -> None:
        """Take everything away."""
        self._process.kill()
        self._process.wait()
        for handle in self._handles:
            os.close(handle)
        for listener in self._listeners().values():
            listener.close()
        shutil.rmtree(self.folder)


def request_for(
    source: bytes, told: dict[str, object], files: dict[str, bytes], stdin: bytes, timeout_s: float
) -> RunRequest:
    """A run of a Python program that knows what the attacker knows."""
    sent = {"attack.py": source, "told.json": json.dumps(told).encode(), **files}
    return RunRequest(("python", "attack.py"), sent, stdin, timeout_s)


def run_here(sandbox: Sandbox) -> Run:
    """A blocking run on a loop of its own."""
    return lambda request: asyncio.run(sandbox.run(request))


class OrdinaryUser:
    """A forked copy of this process that has become an ordinary user for good and runs what it is sent.

    A fork and no new program, because an ordinary user may not even read root's interpreter.
    """

    def __init__(self, environment: Path) -> None:
        ours, theirs = Pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12+ on forks beside threads
            self._pid = os.fork()
        if self._pid == 0:
            ours.close()
            _serve(theirs, environment)
        theirs.close()
        self._connection = ours
        self.status = ours.recv()
        self._waiting: dict[int, Future[RunResult | Exception]] = {}
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        try:
            while True:
                number, result = self._connection.recv()
                self._waiting.pop(number).set_result(result)
        except EOFError:
            return

    def run(self, request: RunRequest) -> RunResult:
        """Have it run there; blocking, from many threads."""
        future: Future[RunResult | Exception] = Future()
        with self._lock:
            number = id(future)
            self._waiting[number] = future
            self._connection.send((number, request))
        result = future.result()
        if isinstance(result, Exception):
            raise result
        return result

    def close(self) -> None:
        """End it."""
        self._connection.send(None)
        os.waitpid(self._pid, 0)


def _serve(connection: Connection, environment: Path) -> None:
    try:
        os.setgroups([])
        os.setresgid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID)
        os.setresuid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID)
        sandbox = choose_sandbox(environment, LIMITS)
        connection.send(sandbox.status())
        lock = threading.Lock()

        def serve(number: int, request: RunRequest) -> None:
            try:
                result: object = run_here(sandbox)(request)
            except Exception as error:  # noqa: BLE001 raised again on the other side
                result = error
            with lock:
                connection.send((number, result))

        while (task := connection.recv()) is not None:
            threading.Thread(target=serve, args=task, daemon=True).start()
    finally:
        os._exit(0)


class Arena:
    """A planted host and one way to run; a bystander, another task with a file of its own, runs beside."""

    def __init__(self, run: Run, bystander: bool = True) -> None:
        self.run = run
        self.host = PlantedHost()
        self._cleanup = ExitStack()
        self._cleanup.callback(self.host.close)
        if bystander:
            self._start_bystander()

    def _start_bystander(self) -> None:
        request = RunRequest(
            ("sh", "-c", "sleep 1000"), {"other-task.txt": self.host.secret.encode()}, timeout_s=290.0
        )
        threading.Thread(target=self.run, args=(request,), daemon=True).start()

    def close(self) -> None:
        """Take the host's things away."""
        self._cleanup.close()
