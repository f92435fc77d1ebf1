"""Processes: floods, daemons, signals, tracing."""

from __future__ import annotations

from engine.ports import RunResult
from tests.engine.sandbox.attacks.attack import Attack, Host, progress

PROCESSES_ALLOWED = 16


def _few(result: RunResult, host: Host) -> None:
    assert progress(result) <= PROCESSES_ALLOWED


def _over_in_time(result: RunResult, host: Host) -> None:
    assert result.seconds < 5, result


PROCESSES = (
    Attack(
        "fork without end",
        """
made = 0
try:
    while made < 2000:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        made += 1
except OSError as error:
    print(error)
print("GOT", made)
""",
        check=_few,
    ),
    Attack(
        "a fork bomb of shells",
        """
subprocess.Popen(["sh", "-c", "b() { b | b & }; b; wait"], stderr=subprocess.DEVNULL)
for _ in range(10):
    print("GOT", len([name for name in os.listdir("/proc") if name.isdigit()]) - 2, flush=True)
    time.sleep(0.05)
""",
        check=_few,
    ),
    Attack(
        "threads without end",
        """
threading.stack_size(65536)
made = 0
try:
    while made < 2000:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        made += 1
except Exception as error:
    print(error)
print("GOT", made)
sys.stdout.flush()
print("DONE", flush=True)
os._exit(0)
""",
        check=_few,
    ),
    Attack(
        "outlive the run as a daemon",
        """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in range(3):
            os.close(fd)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(300)
    os._exit(0)
time.sleep(0.1)
""",
        check=_over_in_time,
    ),
    Attack(
        "hold the output open",
        """
if os.fork() == 0:
    time.sleep(300)
""",
        check=_over_in_time,
    ),
    Attack(
        "spin",
        "while True: pass",
        finishes=False,
        ended=("timeout",),
        timeout_s=1.0,
        check=_over_in_time,
    ),
    Attack(
        "spin in many processes and ignore signals",
        """
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
for _ in range(6):
    if os.fork() == 0:
        os.setsid()
        break
while True: pass
""",
        finishes=False,
        ended=("timeout",),
        timeout_s=1.0,
        check=_over_in_time,
    ),
    Attack(
        "stop everything",
        """
os.fork()
os.kill(-1, signal.SIGSTOP)
os.kill(os.getpid(), signal.SIGSTOP)
""",
        finishes=False,
        ended=("timeout", "exit"),
        timeout_s=1.0,
        check=_over_in_time,
    ),
    Attack(
        "kill others",
        """
for target in [1, told["pid"], -told["pid"], told["bot"], -1]:
    for number in [signal.SIGTERM, signal.SIGKILL]:
        try:
            target != -1 and target > 1 and target < 50 or os.kill(target, number)
        except OSError as error:
            print("contained", target, error)
""",
    ),
    Attack(
        "trace others",
        """
for target in [1, told["pid"], told["bot"], os.getppid()]:
    tries("attach", lambda: libc.ptrace(16, target, 0, 0) == 0)
    tries("seize", lambda: libc.ptrace(0x4206, target, 0, 0) == 0)
    buffer = ctypes.create_string_buffer(64)
    vector = struct.pack("QQ", ctypes.addressof(buffer), 64)
    tries("read", lambda: libc.process_vm_readv(target, vector, 1, vector, 1, 0))
    tries("mem", lambda: target > 50 and open("/proc/%d/mem" % target, "rb"))
""",
    ),
    Attack(
        "argument words are words",
        """
done = subprocess.run(["echo", "$(id)", "; touch /task/pwned", "`id`"], capture_output=True, text=True)
"uid" in done.stdout and breach("a shell read it")
""",
    ),
    Attack(
        "leave input unread",
        "time.sleep(0.3)",
        stdin=b"x" * 4_000_000,
        check=_over_in_time,
    ),
    Attack(
        "crash with a core",
        """
if os.fork() == 0:
    os.abort()
os.wait()
[name for name in os.listdir(".") if "core" in name] and breach("a core file")
""",
    ),
)
