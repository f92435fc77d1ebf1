"""Calls with arguments that would do something: keys, rings, probes, handles of others, new mounts, times."""

from __future__ import annotations

from engine.ports import RunResult
from tests.engine.sandbox.attacks.attack import Attack, Host, progress

SIGNALS_ALLOWED = 256

_CALL = """
import platform
X86 = platform.machine() == "x86_64"
def call(x86, arm, *words):
    return libc.syscall(ctypes.c_long(x86 if X86 else arm), *words)
"""


def _few_timers(result: RunResult, host: Host) -> None:
    assert progress(result) <= SIGNALS_ALLOWED, result.output


DOORS = (
    Attack(
        "set up a ring of requests",
        _CALL
        + """
params = ctypes.create_string_buffer(120)
tries("io_uring_setup", lambda: call(425, 425, 4, params))
tries("io_uring_register", lambda: call(427, 427, 0, 0, None, 0))
""",
    ),
    Attack(
        "catch page faults",
        _CALL
        + """
tries("user mode only", lambda: call(323, 282, 1 | os.O_CLOEXEC))
tries("device", lambda: os.open("/dev/userfaultfd", os.O_RDWR))
""",
    ),
    Attack(
        "leave a key for the next run",
        _CALL
        + """
for ring in [-1, -2, -3, -4, -5]:
    tries("add_key", lambda: call(248, 217, b"user", b"megaagent", b"left", 4, ring))
    tries("search", lambda: call(250, 219, 10, ring, b"user", b"megaagent", 0))
tries("join", lambda: call(250, 219, 1, b"_ses"))
tries("request", lambda: call(249, 218, b"user", b"megaagent", b"", -3))
len(open("/proc/keys").read().split()) and breach("keys are shown") if os.access("/proc/keys", os.R_OK) else 0
""",
    ),
    Attack(
        "load programs into the kernel",
        _CALL
        + """
attributes = struct.pack("IIIII", 2, 4, 8, 1, 0) + bytes(100)
tries("map", lambda: call(321, 280, 0, attributes, 120))
event = struct.pack("IIQQQQQ", 1, 112, 0, 0, 0, 0, 1 << 5 | 1 << 6) + bytes(64)
tries("perf", lambda: call(298, 241, event, 0, -1, -1, 0))
""",
    ),
    Attack(
        "run what lies in no file",
        _CALL
        + """
for flags in [0, 1, 2, 8, 16]:
    tries("memfd %d" % flags, lambda: call(319, 279, b"x", flags))
""",
    ),
    Attack(
        "run set-id programs by their handles",
        """
found = []
for folder in ["/usr/bin", "/usr/sbin", "/usr/lib/openssh", "/usr/lib/dbus-1.0"]:
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        path = folder + "/" + name
        if os.path.isfile(path) and os.stat(path).st_mode & 0o6000:
            found.append(path)
for path in found:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            os.execve(handle, [path, "--version"], {})
        except OSError:
            os._exit(0)
    time.sleep(0.01)
    try:
        status = open("/proc/%d/status" % child).read()
        "Uid:\t1000\t1000" in status or breach(path)
        "CapEff:\t0000000000000000" in status or breach(path)
    except (FileNotFoundError, ProcessLookupError):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
""",
    ),
    Attack(
        "take handles of others",
        _CALL
        + """
for target in [1, told["pid"], told["bot"]]:
    handle = call(434, 434, target, 0)
    if handle < 0:
        print("contained", target)
        continue
    target > 50 and breach("pidfd of the host")
    for number in range(20):
        tries("getfd", lambda: call(438, 438, handle, number, 0))
    tries("setns", lambda: libc.setns(handle, 0x20000) == 0)
    tries("madvise", lambda: call(440, 440, handle, None, 0, 20, 0))
""",
    ),
    Attack(
        "signal the host in every way",
        _CALL
        + """
import fcntl
info = bytes(128)
for target in [told["pid"], told["bot"]]:
    tries("tgkill", lambda: call(234, 131, target, target, 9) == 0 if target > 50 else False)
    tries("sigqueue", lambda: call(129, 138, target, 9, info) == 0 if target > 50 else False)
one, two = socket.socketpair()
for target in [told["pid"], told["bot"]]:
    try:
        fcntl.fcntl(one, fcntl.F_SETOWN, target)
        fcntl.fcntl(one, 10, 9)
        fcntl.fcntl(one, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        two.send(b"x")
    except OSError as error:
        print("contained", error)
for kind, target in [(1, told["pid"]), (2, 0), (1, 1)]:
    tries("priority", lambda: os.setpriority(kind - 1, target, -20) or True)
""",
    ),
    Attack(
        "mount by the new calls",
        _CALL
        + """
tries("clone tree", lambda: call(428, 428, -100, b"/", 1 | 0x8000))
handle = tries("fsopen", lambda: call(430, 430, b"tmpfs", 0))
tries("fspick", lambda: call(433, 433, -100, b"/usr", 0))
tries("move", lambda: call(429, 429, -100, b"/usr", -100, b"/tmp", 0))
tries("writable", lambda: call(442, 442, -100, b"/usr", 0x8000, struct.pack("QQQQ", 0, 1, 0, 0), 32))
tries("statmount", lambda: call(457, 457, bytes(24), ctypes.create_string_buffer(512), 512, 0))
tries("open_tree_attr", lambda: call(467, 467, -100, b"/", 1, None, 0))
before = open("/proc/self/mountinfo").read()
len(before.splitlines()) < 25 or breach("mounts of the host")
""",
    ),
    Attack(
        "make namespaces by the newest call",
        _CALL
        + """
for flag in [0x10000000, 0x20000, 0x20000000, 0x40000000, 0x80]:
    arguments = struct.pack("QQQQQQQQ", flag, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    child = call(435, 435, arguments, len(arguments))
    child == 0 and os._exit(0)
    child > 0 and breach("clone3 %x" % flag)
""",
    ),
    Attack(
        "pairs of odd sockets",
        """
for family in range(2, 50):
    for kind in [1, 2, 3, 5]:
        tries("%d/%d" % (family, kind), lambda: socket.socketpair(family, kind))
""",
    ),
    Attack(
        "overwrite the program that contains",
        """
for way in ["/proc/self/exe", "/proc/1/exe", "/proc/thread-self/exe", "/usr/bin/bwrap"]:
    tries("write " + way, lambda: os.open(way, os.O_WRONLY))
    tries("grow " + way, lambda: os.truncate(way, 0) or True)
    tries("append " + way, lambda: write(way))
for number in range(30):
    tries("fd", lambda: number > 2 and os.open("/proc/1/fd/%d" % number, os.O_RDWR))
""",
    ),
    Attack(
        "act through processes the filter forgot",
        """
seen = 0
for pid in [name for name in os.listdir("/proc") if name.isdigit()]:
    try:
        os.close(os.open("/proc/%s/mem" % pid, os.O_RDONLY))
    except OSError as error:
        print("contained", pid, error)
        continue
    seen += 1
    status = open("/proc/%s/status" % pid).read()
    for line in ["Seccomp:\\t2", "NoNewPrivs:\\t1", "CapPrm:\\t0000000000000000", "Uid:\\t1000\\t1000"]:
        line in status or breach(pid + " lacks " + line)
    limits = open("/proc/%s/limits" % pid).read()
    for name in ["Max address space", "Max processes", "Max file size"]:
        "unlimited" in limits.split(name)[1].split("\\n")[0] and breach(pid + " has no limit of " + name)
seen or breach("not even its own memory: the attack tries nothing")
""",
    ),
    Attack(
        "turn every knob there is",
        """
tried = 0
for base, folders, files in os.walk("/proc/sys"):
    for path in [os.path.join(base, name) for name in files]:
        tried += 1
        try:
            held = open(path, "rb").read() if os.access(path, os.R_OK) else b"0"
            handle = os.open(path, os.O_WRONLY)
            os.write(handle, held or b"0") and breach(path)
        except OSError:
            pass
tried > 100 or breach("no knobs were found: the attack tries nothing")
""",
    ),
    Attack(
        "set clocks and stop the machine",
        _CALL
        + """
now = struct.pack("qq", 1, 0)
for clock in [0, 1, 7, 11]:
    tries("clock_settime", lambda: call(227, 112, clock, now))
tries("settimeofday", lambda: call(164, 170, now, None))
tries("adjtimex", lambda: call(159, 171, struct.pack("I", 1) + bytes(300)))
for command in [0x1234567, 0x4321FEDC, 0xCDEF0123, 0, 0x89ABCDEF]:
    tries("reboot", lambda: call(169, 142, 0xFEE1DEAD, 672274793, ctypes.c_long(command), None))
tries("sethostname", lambda: call(170, 161, b"owned", 5))
abs(time.time() - os.stat("attack.py").st_mtime) < 3600 or breach("the clock was set")
os.uname().nodename == "sandbox" or breach("the name was set")
""",
    ),
    Attack(
        "touch ports, segments and personality",
        _CALL
        + """
if X86:
    tries("ioperm", lambda: libc.ioperm(0x80, 1, 1) == 0)
    tries("iopl", lambda: libc.iopl(3) == 0)
    entry = struct.pack("IIII", 0, 0, 0xFFFFF, 0x51)
    tries("modify_ldt", lambda: call(154, 0, 1, entry, 16))
for persona in [0x0040000, 0x0400000, 0x8]:
    tries("personality", lambda: call(135, 92, persona))
tries("read personality", lambda: open("/proc/self/personality").read().strip() not in ("00000000", ""))
""",
    ),
    Attack(
        "go before all others",
        _CALL
        + """
for policy in [1, 2]:
    tries("scheduler", lambda: os.sched_setscheduler(0, policy, os.sched_param(1)) or True)
deadline = struct.pack("IIQiIQQQ", 48, 6, 0, 0, 0, 10000000, 20000000, 20000000)
tries("deadline", lambda: call(314, 274, 0, deadline, 0))
tries("ioprio", lambda: call(251, 30, 1, 0, 1 << 13) == 0)
tries("nice", lambda: os.nice(-5) < 0)
tries("autogroup", lambda: os.write(os.open("/proc/self/autogroup", os.O_WRONLY), b"-10"))
tries("oom_score_adj", lambda: open("/proc/self/oom_score_adj", "w").write("-500") and
      int(open("/proc/self/oom_score_adj").read()) < 0)
tries("parent", lambda: open("/proc/1/oom_score_adj", "w").write("-1000") and
      int(open("/proc/1/oom_score_adj").read()) < 0)
""",
    ),
    Attack(
        "leave things in memory shared by all",
        _CALL
        + """
for key in [0, 1234]:
    tries("shm", lambda: call(29, 194, key, 1 << 20, 0o1666))
    tries("sem", lambda: call(64, 190, key, 100, 0o1666))
    tries("msg", lambda: call(68, 186, key, 0o1666))
tries("mq", lambda: call(240, 180, b"left", 0o102, 0o666, None))
tries("mqueue", lambda: os.listdir("/dev/mqueue"))
tries("huge", lambda: mmap.mmap(-1, 2 * MB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000))
for name in ["shm", "sem", "msg"]:
    lines = open("/proc/sysvipc/" + name).read().splitlines()
    len(lines) > 1 and breach(lines)
""",
    ),
    Attack(
        "set timers without end",
        _CALL
        + """
made = 0
timer = ctypes.c_int()
while made < 100000 and call(222, 107, 1, None, ctypes.byref(timer)) == 0:
    made += 1
print("GOT", made)
""",
        check=_few_timers,
    ),
    Attack(
        "pile up signals",
        """
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
queued = 0
class Value(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("pointer", ctypes.c_void_p)]
while queued < 100000 and libc.sigqueue(os.getpid(), signal.SIGRTMIN, Value(1)) == 0:
    queued += 1
print("GOT", queued)
""",
        check=_few_timers,
    ),
    Attack(
        "escape by a filter of its own",
        _CALL
        + """
code = struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000)
program = struct.pack("HxxxxxxQ", 1, ctypes.addressof(ctypes.create_string_buffer(code)))
call(317, 277, 1, 0, program)
tries("unshare", lambda: libc.unshare(0x10000000) == 0)
tries("dumpable", lambda: libc.prctl(38, 0, 0, 0, 0) == 0)
"Seccomp:\\t2" in open("/proc/self/status").read() or breach("off")
""",
    ),
)
