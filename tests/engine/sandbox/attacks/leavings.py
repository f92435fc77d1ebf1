"""What swells when it is taken out, hides in no file, or will not end."""

from __future__ import annotations

from engine.ports import RunResult
from tests.engine.sandbox.attacks.attack import Attack, Host, progress

MIB = 1 << 20
PLACE_ALLOWED = 24 * MIB
PROCESSES_ALLOWED = 16


def _fits(result: RunResult, host: Host) -> None:
    assert sum(map(len, result.changed.values())) <= PLACE_ALLOWED
    assert result.refused


def _quick(result: RunResult, host: Host) -> None:
    assert result.seconds < 6, result.seconds


def _nothing(result: RunResult, host: Host) -> None:
    assert not result.changed, result.changed.keys()


def _plain_files(result: RunResult, host: Host) -> None:
    assert set(result.changed) == {"id", "good.txt"}, result.changed.keys()


def _few(result: RunResult, host: Host) -> None:
    assert progress(result) <= PROCESSES_ALLOWED


def _clean_text(result: RunResult, host: Host) -> None:
    assert not [char for char in result.output if ord(char) < 32 and char not in "\n\t"]
    assert len(result.output) < 200_000


def _over_in_time(result: RunResult, host: Host) -> None:
    assert result.seconds < 5, result


LEAVINGS = (
    Attack(
        "hand over holes",
        """
for number in range(1500):
    with open("hole%d" % number, "wb") as file:
        file.truncate(3 * MB)
""",
        check=_fits,
    ),
    Attack(
        "hand over one file under many names",
        """
open("big", "wb").write(b"x" * (3 * MB))
for number in range(1500):
    os.link("big", "name%d" % number)
""",
        check=_fits,
    ),
    Attack(
        "hand over as many files as there may be",
        """
for number in range(1900):
    open("f%d" % number, "w").write(str(number))
""",
        check=_quick,
    ),
    Attack(
        "hide memory in attributes",
        """
kept = 0
for number in range(500):
    for place in ["/task", "/tmp", "/dev/shm"]:
        path = place + "/x%d" % number
        open(path, "w").close()
        for name in ["user.a", "user.b", "trusted.a", "security.a", "system.posix_acl_access"]:
            try:
                os.setxattr(path, name, bytes(60000))
                kept += 1
            except OSError:
                pass
kept and breach("%d attributes" % kept)
""",
        check=lambda result, host: None,
    ),
    Attack(
        "dig ten thousand levels",
        """
for number in range(10000):
    os.mkdir("d")
    os.chdir("d")
open("deep.txt", "w").write("x")
""",
        finishes=False,
        ended=("files",),
        check=_nothing,
    ),
    Attack(
        "links that lead around",
        """
os.symlink("b", "a")
os.symlink("a", "b")
os.mkdir("folder")
os.symlink("..", "folder/up")
os.symlink(".", "folder/here")
os.symlink("/proc/self/root", "folder/root")
os.symlink("/proc/self/fd/0", "input")
""",
        check=_nothing,
    ),
    Attack(
        "hand over programs of others",
        """
import shutil
shutil.copy("/usr/bin/id", "id")
for way in [lambda: os.chmod("id", 0o6755), lambda: libc.chmod(b"id", 0o4755) == 0 and 1,
            lambda: libc.syscall(ctypes.c_long(452), -100, b"id", 0o4755, 0)]:
    try:
        way()
    except OSError:
        pass
try:
    os.close(os.open("born", os.O_CREAT | os.O_WRONLY, 0o6777))
    os.stat("born").st_mode & 0o6000 and print("born set-id")
    os.unlink("born")
except OSError as error:
    print(error)
open("good.txt", "w").write("good")
""",
        check=_plain_files,
    ),
    Attack(
        "swap the folder while it is read",
        """
os.makedirs("a/b")
open("a/b/mine.txt", "w").write("mine")
if os.fork() == 0:
    os.setsid()
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        try:
            os.rename("a/b", "a/c")
            os.symlink("/etc", "a/b")
            os.unlink("a/b")
            os.rename("a/c", "a/b")
        except OSError:
            pass
time.sleep(0.2)
""",
        check=lambda result, host: _only_mine(result),
    ),
    Attack(
        "leave zombies without end",
        """
made = 0
try:
    while made < 2000:
        if os.fork() == 0:
            os._exit(0)
        made += 1
except OSError as error:
    print(error)
print("GOT", made)
""",
        check=_few,
    ),
    Attack(
        "leave stopped children behind",
        """
for _ in range(6):
    if os.fork() == 0:
        os.setsid()
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
time.sleep(0.2)
""",
        check=_over_in_time,
    ),
    Attack(
        "adopt orphans and never end",
        """
libc.prctl(36, 1, 0, 0, 0)
libc.prctl(1, 0, 0, 0, 0)
for _ in range(4):
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            libc.prctl(1, 0, 0, 0, 0)
            while True:
                time.sleep(1)
        os._exit(0)
time.sleep(60)
""",
        finishes=False,
        ended=("timeout",),
        timeout_s=1.0,
        check=_over_in_time,
    ),
    Attack(
        "print bytes that are no text on both ways",
        """
for _ in range(40):
    os.write(1, os.urandom(4000) + b"\x1b[2J\x00")
    os.write(2, bytes(range(256)) * 8)
print("\\nDONE", flush=True)
""",
        finishes=False,
        check=_clean_text,
    ),
    Attack(
        "keep files in flight",
        """
import array
got, kept = 0, []
try:
    for number in range(2000):
        one, two = socket.socketpair()
        file = open("/tmp/gone", "wb+")
        os.unlink("/tmp/gone")
        file.write(bytes(MB))
        file.flush()
        handles = array.array("i", [file.fileno()])
        one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handles)])
        kept.append((one, two))
        file.close()
        got += 1
except OSError as error:
    print(error)
print("GOT", got)
""",
        check=lambda result, host: _bounded_flight(result),
    ),
)


def _bounded_flight(result: RunResult) -> None:
    assert progress(result) <= PLACE_ALLOWED // MIB


def _only_mine(result: RunResult) -> None:
    assert set(result.changed) <= {"a/b/mine.txt", "a/c/mine.txt"}
    assert all(content == b"mine" for content in result.changed.values())
