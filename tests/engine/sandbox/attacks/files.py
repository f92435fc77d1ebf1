"""What is left for the host: floods of files, links, special files, names, poisoned content, output."""

from __future__ import annotations

from engine.ports import RunResult
from tests.engine.sandbox.attacks.attack import Attack, Host

FILES_ALLOWED = 2000


def _check_kept(result: RunResult, paths: set[str]) -> None:
    assert set(result.changed) == paths, (result.changed.keys(), result.refused)


def _refuses(result: RunResult, *words: str) -> None:
    for word in words:
        assert any(word in refused for refused in result.refused), result.refused


def _harmless_text(result: RunResult, host: Host) -> None:
    assert not set(result.output) - {"\n", "\t"} & {chr(code) for code in (*range(32), *range(127, 160))}
    assert "forged title" not in result.output
    assert "\u202e" not in result.output


def _only_links_refused(result: RunResult, host: Host) -> None:
    _check_kept(result, set())
    _refuses(result, "link:", "folder-link:", "dangling:")


def _only_good(result: RunResult, host: Host) -> None:
    _check_kept(result, {"good.txt"})


def _nothing(result: RunResult, host: Host) -> None:
    _check_kept(result, set())


def _one_spelling(result: RunResult, host: Host) -> None:
    assert len(result.changed) == 1
    _refuses(result, "by upper and lower case only")


def _few_files(result: RunResult, host: Host) -> None:
    assert len(result.changed) <= FILES_ALLOWED


def _short_output(result: RunResult, host: Host) -> None:
    assert len(result.output) < 200_000
    assert result.truncated


def _reports_unreadable(result: RunResult, host: Host) -> None:
    _check_kept(result, {"good.txt"})
    _refuses(result, "closed:", "shut.txt:")


FILES = (
    Attack(
        "make files without end",
        """
try:
    for number in range(1000000):
        os.close(os.open("f%d" % number, os.O_CREAT | os.O_WRONLY))
except OSError as error:
    print(error)
""",
        finishes=False,
        ended=("files",),
        check=_few_files,
    ),
    Attack(
        "make links without end",
        """
open("a", "w").close()
try:
    for number in range(1000000):
        os.link("a", "/task/l%d" % number)
except OSError as error:
    print(error)
""",
        finishes=False,
        ended=("files",),
        check=_few_files,
    ),
    Attack(
        "make files without end in /tmp",
        """
for number in range(1000000):
    os.mkdir("/tmp/d%d" % number)
""",
        finishes=False,
        ended=("files",),
    ),
    Attack(
        "dig without end",
        """
for number in range(900):
    os.mkdir("d")
    os.chdir("d")
open("deep.txt", "w").write("x")
""",
        check=_nothing,
    ),
    Attack(
        "make huge sparse files",
        """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file = open("sparse", "wb")
tries("truncate", lambda: file.truncate(1 << 40) and True)
tries("seek", lambda: (file.seek(1 << 40), file.write(b"x"), file.flush()) and True)
tries("fallocate", lambda: os.posix_fallocate(file.fileno(), 0, 1 << 40) or True)
os.unlink("sparse")
""",
    ),
    Attack(
        "print without end",
        "while True: os.write(1, b'x' * 65536)",
        finishes=False,
        ended=("output",),
        check=_short_output,
    ),
    Attack(
        "print much without line ends",
        "os.write(1, b'y' * 900000) and print('\\\\nDONE')",
        finishes=False,
        check=_short_output,
    ),
    Attack(
        "drive the reader's terminal",
        r"""
sys.stdout.buffer.write(b"\x1b]0;forged title\x07\x1b[2J\x1b[31mred\x1b[0m\x9b5A\x1bPq\x1b\\\x07\x08\x00\r"
                        b"\x1b]52;c;aGk=\x1b\\ \xe2\x80\xae reversed \xc2\x9b31m \x1b[6n\n")
sys.stdout.flush()
""",
        check=_harmless_text,
    ),
    Attack(
        "plant links for the host",
        """
os.symlink(told["canary"], "link")
os.symlink("/etc", "folder-link")
os.symlink("nowhere", "dangling")
os.symlink("/proc/self/environ", "env")
tries("hard link", lambda: os.link("/usr/bin/id", "id") or True)
""",
        check=_only_links_refused,
    ),
    Attack(
        "replace sent files by links",
        """
os.unlink("sent.txt")
os.symlink(told["canary"], "sent.txt")
os.rename("folder", "moved")
os.symlink("/etc", "folder")
""",
        files={"sent.txt": b"sent", "folder/hosts": b"mine"},
        check=lambda result, host: _check_kept(result, {"moved/hosts"}),
    ),
    Attack(
        "plant special files",
        """
tries("fifo", lambda: os.mkfifo("fifo") or True)
sock = socket.socket(socket.AF_UNIX)
sock.bind("socket")
""",
        check=lambda result, host: _check_kept(result, set()),
    ),
    Attack(
        "race the copy",
        """
os.mkdir("real")
open("real/hosts", "w").write("mine")
for _ in range(3):
    if os.fork() == 0:
        while True:
            try:
                os.rename("real", "kept")
                os.symlink("/etc", "real")
                os.unlink("real")
                os.rename("kept", "real")
            except OSError:
                pass
time.sleep(0.3)
""",
        check=lambda result, host: _check_raced(result),
    ),
    Attack(
        "plant a repository",
        """
for path in [".git/hooks/post-checkout", ".GIT/config", ".git. /x", "git~1/config", "sub/.git/config",
             ".g\\u200cit/config",
             ".gitmodules", ".gitattributes"]:
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    open(path, "w").write("[core]\\n\\tfsmonitor = touch /tmp/pwned\\n")
open("good.txt", "w").write("good")
""",
        check=_only_good,
    ),
    Attack(
        "names that confuse tools",
        """
for name in [b"-rf", b"--help", b"a\\nb", b"a\\x1b[31m", b"\\xff\\xfe", b"CON", b"nul.txt", b"dot.",
             b" lead", b"trail ",
             b"a:b",
             b"x" * 250,             b"q?", b"~root",
             b"back\\\\slash", b"\\xe2\\x80\\xaegpj.exe", b"e\\xcc\\x81", b"a|b",
             b"com1.txt"]:
    open(name, "w").write("x")
open("good.txt", "w").write("good")
""",
        check=_only_good,
    ),
    Attack(
        "two names of one file",
        """
open("README", "w").write("1")
open("readme", "w").write("2")
""",
        check=_one_spelling,
    ),
    Attack(
        "plant compiled code",
        """
os.makedirs("pkg/__pycache__")
open("pkg/__pycache__/attack.cpython-311.pyc", "wb").write(b"poison")
open("evil.pyc", "wb").write(b"poison")
open("good.txt", "w").write("good")
""",
        check=_only_good,
    ),
    Attack(
        "leave what cannot be read",
        """
os.mkdir("closed")
open("closed/x", "w").write("x")
os.chmod("closed", 0)
open("shut.txt", "w").write("x")
os.chmod("shut.txt", 0)
open("good.txt", "w").write("good")
""",
        check=_reports_unreadable,
    ),
    Attack(
        "take the checkout's own folder away",
        """
os.chmod("/task", 0)
""",
        files={"sent.txt": b"sent"},
    ),
)


def _check_raced(result: RunResult) -> None:
    assert set(result.changed) <= {"real/hosts", "kept/hosts"}
    assert all(content == b"mine" for content in result.changed.values())
