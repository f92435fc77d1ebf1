"""Memory in every place it can hide: processes, mappings, memory file systems, buffers."""

from __future__ import annotations

from engine.ports import RunResult
from tests.engine.sandbox.attacks.attack import Attack, Host, progress

MEMORY_ALLOWED_MB = 192
PLACE_ALLOWED_MB = 24


def _bounded(result: RunResult, host: Host) -> None:
    # The watcher looks twenty times a second: between two looks something may be added.
    assert progress(result) <= 3 * MEMORY_ALLOWED_MB, result.output


def _place(name: str, path: str) -> Attack:
    return Attack(
        f"fill {name}",
        f"""
got = 0
try:
    for number in range(500):
        with open("{path}/flood%d" % number, "wb") as file:
            file.write(bytes(MB))
        got += 1
except OSError as error:
    print(error)
print("GOT", got)
""",
        check=lambda result, host: _check_place(result),
    )


def _check_place(result: RunResult) -> None:
    assert progress(result) <= PLACE_ALLOWED_MB, result.output


MEMORY = (
    Attack(
        "take memory in one process",
        """
got, kept = 0, []
try:
    while got < 4000:
        kept.append(bytearray(b"x") * (8 * MB))
        got += 8
except MemoryError:
    kept.clear()
print("GOT", got)
""",
        check=_bounded,
    ),
    Attack(
        "take memory in many processes",
        """
for _ in range(8):
    if os.fork() == 0:
        kept = []
        try:
            for _ in range(15):
                kept.append(bytearray(b"x") * (10 * MB))
        except MemoryError:
            pass
        time.sleep(60)
        os._exit(0)
print("GOT 0", flush=True)
time.sleep(60)
""",
        finishes=False,
        ended=("memory",),
        timeout_s=10.0,
    ),
    Attack(
        "take memory behind a thread that ended",
        """
def hold():
    kept = [bytearray(b"x") * (10 * MB) for _ in range(15)]
    time.sleep(60)
for _ in range(4):
    if os.fork() == 0:
        threading.Thread(target=hold).start()
        libc.syscall(60 if os.uname().machine == "x86_64" else 93, 0)
time.sleep(60)
""",
        finishes=False,
        ended=("memory",),
        timeout_s=10.0,
    ),
    Attack(
        "share anonymous pages",
        """
tries("mmap", lambda: mmap.mmap(-1, 8 * MB))
tries("flags", lambda: mmap.mmap(-1, 8 * MB, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS))
tries("zero", lambda: os.open("/dev/zero", os.O_RDWR))
tries("memfd", lambda: os.memfd_create("x"))
tries("secret", lambda: libc.syscall(447, 0))
tries("shmget", lambda: libc.shmget(1234, 64 * MB, 0o1666))
tries("mq", lambda: libc.syscall(240, b"x", 0o102, 0o600, None))
""",
    ),
    _place("the checkout", "/task"),
    _place("/tmp", "/tmp"),
    _place("/dev/shm", "/dev/shm"),
    Attack(
        "fill files that are deleted",
        """
got, kept = 0, []
try:
    for number in range(60):
        file = open("gone", "wb", buffering=0)
        kept.append(file)
        os.unlink("gone")
        for _ in range(4):
            file.write(bytes(MB)) == MB or 1 / 0
            got += 1
except (OSError, ZeroDivisionError) as error:
    print(error)
print("GOT", got)
""",
        check=lambda result, host: _check_place(result),
    ),
    Attack(
        "map files of memory file systems",
        """
got = 0
try:
    for number in range(100):
        file = open("/dev/shm/map%d" % number, "w+b")
        file.truncate(4 * MB)
        view = mmap.mmap(file.fileno(), 4 * MB)
        for start in range(0, 4 * MB, MB):
            view[start:start + MB] = bytes(MB)
            got += 1
            print("GOT", got, flush=True)
except OSError as error:
    print(error)
""",
        finishes=False,
        check=lambda result, host: _check_place(result),
    ),
    Attack(
        "fill socket buffers",
        """
kept, got = [], 0
def pairs():
    global got
    try:
        while True:
            one, two = socket.socketpair()
            kept.extend([one, two])
            for end in [one, two]:
                end.setblocking(False)
                try:
                    while True:
                        got += end.send(bytes(65536))
                except BlockingIOError:
                    pass
    except OSError:
        pass
for _ in range(14):
    if os.fork() == 0:
        pairs()
        time.sleep(60)
        os._exit(0)
pairs()
print("GOT", 16 * got // MB, flush=True)
time.sleep(2)
""",
        ended=("exit", "memory"),
        finishes=False,
        check=_bounded,
    ),
    Attack(
        "fill TCP buffers",
        """
server = socket.create_server(("127.0.0.1", 0))
kept, got = [], 0
try:
    while True:
        one = socket.create_connection(server.getsockname())
        two, _ = server.accept()
        kept += [one, two]
        one.setblocking(False)
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            try:
                got += one.send(bytes(65536))
            except BlockingIOError:
                time.sleep(0.002)
        print("GOT", got // MB, flush=True)
except OSError as error:
    print(error)
""",
        finishes=False,
        ended=("exit", "memory"),
        check=_bounded,
    ),
    Attack(
        "grow pipes",
        """
import fcntl
one, two = os.pipe()
tries("F_SETPIPE_SZ", lambda: fcntl.fcntl(two, 1031, 1 << 20))
kept = 0
try:
    while kept < 5000:
        os.pipe()
        kept += 1
except OSError as error:
    print(error)
print("GOT", kept)
""",
        check=lambda result, host: _check_pipes(result),
    ),
    Attack(
        "lock memory",
        """
size = 64 * MB
area = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
here = ctypes.addressof(ctypes.c_char.from_buffer(area))
tries("mlock", lambda: libc.mlock(ctypes.c_void_p(here), ctypes.c_size_t(size)) == 0)
tries("mlockall", lambda: libc.mlockall(3) == 0)
""",
    ),
)


def _check_pipes(result: RunResult) -> None:
    assert progress(result) < 64
