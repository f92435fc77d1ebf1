"""Reaching the host: its files, environment, processes, handles and network."""

from __future__ import annotations

from pathlib import Path

from engine.ports import RunResult
from tests.engine.sandbox.attacks.attack import Attack, Host


def _shows_no_host_users(result: RunResult, host: Host) -> None:
    users = [line for line in Path("/etc/passwd").read_text().splitlines() if not line.startswith("root:")]
    assert not any(user in result.output for user in users)


HOST = (
    Attack("read a planted file", "tries('read', lambda: open(told['canary']).read())"),
    Attack(
        "read it by way of /proc",
        """
for pid in ["self", "1", "2", str(os.getpid()), str(told["pid"])]:
    for way in ["root", "cwd", "task/%s/root" % pid]:
        tries(pid + way, lambda: open("/proc/%s/%s%s" % (pid, way, told["canary"])).read())
""",
    ),
    Attack(
        "climb out with dots",
        """
for start in ["/task", "/tmp", "/dev/shm", "/env", "/proc/self/cwd"]:
    tries(start, lambda: open(start + "/.." * 30 + told["canary"]).read())
fd = os.open("/", os.O_RDONLY)
os.fchdir(fd)
tries("fchdir", lambda: open("../../.." + told["canary"]).read())
""",
    ),
    Attack(
        "read the host's accounts",
        """
print(open("/etc/passwd").read())
for path in ["/etc/shadow", "/etc/ssh/sshd_config", "/etc/machine-id", "/etc/fstab", "/etc/sudoers"]:
    tries(path, lambda: open(path, "rb").read())
""",
        check=_shows_no_host_users,
    ),
    Attack(
        "look into the host's folders",
        """
for path in ["/root", "/home", "/var", "/srv", "/opt", "/mnt", "/media", "/run", "/sys", "/boot"]:
    tries(path, lambda: os.listdir(path))
""",
    ),
    Attack(
        "find another task's files",
        """
found = []
for base, folders, files in os.walk("/"):
    if base.startswith(("/usr", "/proc", "/env")):
        folders[:] = []
        continue
    found += [os.path.join(base, name) for name in files if name == "other-task.txt"]
if found:
    breach(found)
for pid in os.listdir("/proc"):
    if pid.isdigit() and os.path.exists("/proc/%s/cwd/other-task.txt" % pid):
        breach(pid)
""",
    ),
    Attack(
        "read environments",
        """
seen = b""
for pid in os.listdir("/proc"):
    if pid.isdigit():
        try:
            seen += open("/proc/%s/environ" % pid, "rb").read()
        except OSError:
            pass
print(seen.replace(b"\\0", b" ").decode("utf-8", "replace"), dict(os.environ))
""",
    ),
    Attack(
        "see the host's processes",
        """
pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
if len(pids) > 4:
    breach(pids)
told["pid"] in pids and told["pid"] > 50 and breach("the planted process")
for name in ["cmdline", "maps", "mem", "stat"]:
    tries(name, lambda: told["pid"] > 50 and open("/proc/%d/%s" % (told["pid"], name), "rb").read(10))
""",
    ),
    Attack(
        "use inherited handles",
        # In a new program: what was inherited once is inherited again, what this one opened (libffi may keep
        # its library open) is not.
        """
look = '''
import os
for fd in os.listdir("/proc/self/fd"):
    try:
        os.fstat(int(fd))
    except OSError:
        continue  # the one that lists them
    if int(fd) > 2:
        print("BREACH", fd, os.readlink("/proc/self/fd/" + fd), flush=True)
print("contained fds")
print("DONE", flush=True)
'''
os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", look])
""",
    ),
    Attack(
        "open devices",
        """
for name in ["mem", "kmem", "port", "kmsg", "vda", "sda", "fuse", "kvm", "net/tun", "tty", "ptmx", "vsock",
             "loop-control", "userfaultfd", "zero", "hwrng", "rtc"]:
    tries(name, lambda: os.open("/dev/" + name, os.O_RDWR))
""",
    ),
    Attack(
        "write to the system",
        """
for path in ["/x", "/usr/x", "/usr/bin/python3", "/bin/sh", "/env/x", "/env/bin/python", "/etc/passwd",
             "/dev/x", "/lib/x", "/usr/lib/python3/dist-packages/x", "/proc/x", "/env/lib/x"]:
    tries(path, lambda: write(path))
for path in ["/usr", "/env", "/etc/hosts", "/"]:
    tries("chmod " + path, lambda: os.chmod(path, 0o777) or True)
    tries("rename " + path, lambda: os.rename(path, "/task/x") or True)
    tries("utime " + path, lambda: os.utime(path, (1, 1)) or True)
""",
    ),
    Attack(
        "poison the next run",
        """
import site
for folder in [*site.getsitepackages(), "/env/lib", "/usr/lib/python3", os.path.dirname(os.__file__)]:
    tries(folder, lambda: write(folder + "/sitecustomize.py"))
    tries(folder, lambda: os.mkdir(folder + "/__pycache__/x") or True)
""",
    ),
    Attack(
        "call the host over TCP",
        """
for address in ["127.0.0.1", told["address"], "0.0.0.0"]:
    probe = socket.socket()
    probe.settimeout(0.3)
    probe.connect_ex((address, told["tcp"]))
    probe.close()
""",
    ),
    Attack(
        "call the host over UDP",
        """
for address in ["127.0.0.1", told["address"], "255.255.255.255"]:
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    try:
        probe.sendto(b"x", (address, told["udp"]))
    except OSError as error:
        print("contained", error)
""",
    ),
    Attack(
        "call the host over unix sockets",
        """
for address in [told["unix"], "\\0" + told["abstract"], "/run/docker.sock"]:
    probe = socket.socket(socket.AF_UNIX)
    tries(repr(address), lambda: probe.connect(address) or True)
""",
    ),
    Attack(
        "leave for the internet",
        """
for address in [("192.0.2.1", 80), ("8.8.8.8", 53), ("169.254.169.254", 80)]:
    probe = socket.socket()
    probe.settimeout(0.3)
    tries(address, lambda: probe.connect(address) or True)
tries("name", lambda: socket.getaddrinfo("example.com", 80))
tries("v6", lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 80)) or True)
others = [line for line in open("/proc/net/dev") if ":" in line and "lo:" not in line]
others and breach(others)
""",
    ),
    Attack(
        "open odd sockets",
        """
for family in [3, 4, 5, 6, 9, 15, 16, 17, 20, 21, 22, 26, 29, 30, 31, 36, 38, 39, 40, 41, 43, 44, 45]:
    for kind in [1, 2, 3, 5]:
        tries("%d/%d" % (family, kind), lambda: socket.socket(family, kind, 0))
for family in [2, 10]:
    for protocol in [1, 6, 17, 58, 255]:
        tries("raw", lambda: socket.socket(family, socket.SOCK_RAW, protocol))
tries("sctp", lambda: socket.socket(2, socket.SOCK_SEQPACKET, 132))
""",
    ),
)
