"""The kernel's own doors: mounts, namespaces, identities, knobs, odd calls."""

from __future__ import annotations

import platform

from engine.ports import RunResult
from tests.engine.sandbox.attacks.attack import Attack, Host


def _died_of_the_filter(result: RunResult, host: Host) -> None:
    assert result.exit_code == 128 + 31, result  # SIGSYS


_FOREIGN_ABI = Attack(
    "call the kernel through 32-bit eyes",
    """
code = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
code.write(bytes.fromhex("b814000000cd80c3"))  # getpid by int 0x80
here = ctypes.addressof(ctypes.c_char.from_buffer(code))
print(ctypes.CFUNCTYPE(ctypes.c_int)(here)())
breach("int 0x80")
""",
    check=_died_of_the_filter,
    finishes=False,
)

_X32_ABI = Attack(
    "call the kernel through x32",
    "tries('x32', lambda: libc.syscall(ctypes.c_long(0x40000000 + 39)))",
)

KERNEL = (
    Attack(
        "mount",
        """
tries("tmpfs", lambda: libc.mount(b"x", b"/tmp", b"tmpfs", 0, None) == 0)
tries("proc", lambda: libc.mount(b"proc", b"/tmp", b"proc", 0, None) == 0)
tries("bind", lambda: libc.mount(b"/", b"/tmp", None, 4096, None) == 0)
tries("remount", lambda: libc.mount(None, b"/usr", None, 32 | 4096, None) == 0)
tries("umount", lambda: libc.umount2(b"/env", 2) == 0)
tries("open_tree", lambda: libc.syscall(428, -100, b"/", 1))
tries("fsopen", lambda: libc.syscall(430, b"tmpfs", 0))
tries("mount_setattr", lambda: libc.syscall(442, -100, b"/", 0, None, 0))
""",
    ),
    Attack(
        "change the root",
        """
os.mkdir("jail")
tries("chroot", lambda: os.chroot("jail") or True)
tries("pivot_root", lambda: libc.syscall(155, b"/task", b"/task/jail"))
""",
    ),
    Attack(
        "make namespaces",
        """
for name, flag in [("user", 0x10000000), ("mount", 0x20000), ("pid", 0x20000000), ("net", 0x40000000),
                   ("ipc", 0x08000000), ("uts", 0x04000000), ("cgroup", 0x02000000), ("time", 0x80)]:
    tries("unshare " + name, lambda: libc.unshare(flag) == 0)
    stack = ctypes.create_string_buffer(65536)
    child = libc.syscall(56, flag | 17, 0, 0, 0, 0)
    child == 0 and os._exit(9)
    child > 0 and breach("clone " + name)
for name in ["user", "mnt", "net", "pid"]:
    tries("setns " + name, lambda: libc.setns(os.open("/proc/1/ns/" + name, os.O_RDONLY), 0) == 0)
""",
    ),
    Attack(
        "become somebody else",
        """
for uid in [0, 1, 65534, 60800, 1001]:
    tries("setuid", lambda: os.setuid(uid) or True)
    tries("setgid", lambda: os.setgid(uid) or True)
    tries("setreuid", lambda: os.setreuid(uid, uid) or True)
tries("setgroups", lambda: os.setgroups([0]) or True)
tries("uid_map", lambda: write("/proc/self/uid_map"))
for program in ["/usr/bin/su", "/usr/bin/passwd", "/usr/bin/mount", "/usr/bin/newgrp", "/usr/bin/sudo"]:
    if os.path.exists(program):
        done = subprocess.run([program, "--help"], capture_output=True)
shown = subprocess.run(["id", "-u"], capture_output=True, text=True).stdout.strip()
shown == "0" and breach("root")
""",
    ),
    Attack(
        "gain capabilities",
        """
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]:
    int(status[name], 16) and breach(name)
int(status["NoNewPrivs"]) == 1 or breach("new privileges")
tries("ambient", lambda: libc.prctl(47, 2, 21, 0, 0) == 0)
tries("keepcaps off", lambda: libc.prctl(24, 21, 0, 0, 0) == 0)
granted = b"\\1\\0\\0\\2" + b"\\xff" * 16
tries("file capability", lambda: os.setxattr("attack.py", "security.capability", granted) or True)
""",
    ),
    Attack(
        "plant set-id programs",
        """
import shutil
shutil.copy("/usr/bin/id", "id")
for mode in [0o4755, 0o2755, 0o6777]:
    tries("chmod", lambda: os.chmod("id", mode) or True)
    tries("fchmod", lambda: os.fchmod(os.open("id", os.O_RDONLY), mode) or True)
os.stat("id").st_mode & 0o6000 and breach("set-id")
""",
    ),
    Attack(
        "make device files",
        """
import stat
for kind, device in [(stat.S_IFBLK, os.makedev(254, 0)), (stat.S_IFCHR, os.makedev(1, 1)), (stat.S_IFCHR, 0)]:
    for folder in ["/task", "/tmp", "/dev/shm"]:
        tries("mknod", lambda: os.mknod(folder + "/node", kind | 0o666, device) or True)
""",
    ),
    Attack(
        "turn kernel knobs",
        """
for path in ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/overcommit_memory",
             "/proc/sys/kernel/modprobe", "/proc/sys/net/ipv4/ip_forward", "/proc/sysrq-trigger",
             "/proc/sys/user/max_user_namespaces", "/proc/irq/default_smp_affinity", "/sys/power/state",
             "/proc/self/loginuid", "/proc/sys/kernel/ns_last_pid"]:
    tries(path, lambda: write(path))
for path in ["/proc/kcore", "/proc/kmsg", "/proc/1/mem", "/proc/keys", "/proc/1/environ"]:
    data = None
    try:
        data = open(path, "rb").read(64)
    except OSError as error:
        print("contained", path, error)
    data and path != "/proc/1/environ" and breach(path)
""",
    ),
    Attack(
        "odd system calls",
        """
import platform
x86 = {"bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425, "add_key": 248,
       "request_key": 249, "keyctl": 250, "open_by_handle_at": 304, "name_to_handle_at": 303,
       "kexec_load": 246,
       "reboot": 169, "swapon": 167, "swapoff": 168, "acct": 163, "init_module": 175, "finit_module": 313,
       "quotactl": 179, "syslog": 103, "personality": 135, "iopl": 172, "ioperm": 173, "modify_ldt": 154,
       "vhangup": 153, "fanotify_init": 300, "lookup_dcookie": 212, "kcmp": 312, "move_pages": 279,
       "migrate_pages": 256, "mbind": 237, "vmsplice": 278, "memfd_secret": 447, "memfd_create": 319,
       "mq_open": 240, "semget": 64, "msgget": 68, "shmget": 29, "pidfd_getfd": 438, "statmount": 457,
       "lsm_get_self_attr": 459, "inotify_init1": 294, "future": 999}
for name, number in (x86 if platform.machine() == "x86_64" else {}).items():
    answer = libc.syscall(ctypes.c_long(number), 0, 0, 0, 0, 0)
    refused = ctypes.get_errno()
    if answer != -1 or refused not in (errno.EPERM, errno.ENOSYS):
        breach("%s %d %d" % (name, answer, refused))
""",
    ),
    Attack(
        "change clock and names",
        """
tries("clock", lambda: time.clock_settime(time.CLOCK_REALTIME, 0) or True)
tries("hostname", lambda: socket.sethostname("owned") or True)
tries("domain", lambda: libc.setdomainname(b"x", 1) == 0)
""",
    ),
    Attack(
        "raise limits",
        """
for name in ["AS", "NPROC", "FSIZE", "NOFILE", "CPU", "CORE", "MEMLOCK", "MSGQUEUE"]:
    kind = getattr(resource, "RLIMIT_" + name)
    soft, hard = resource.getrlimit(kind)
    hard == resource.RLIM_INFINITY and breach(name)
    tries(name, lambda: resource.setrlimit(kind, (hard + 1, hard + 1)) or True)
tries("nice", lambda: os.setpriority(os.PRIO_PROCESS, 0, -5) or True)
tries("realtime", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)) or True)
tries("oom", lambda: open("/proc/self/oom_score_adj", "w").write("-1000") and False)
int(open("/proc/self/oom_score_adj").read()) < 0 and breach("spared when memory is short")
""",
    ),
    Attack(
        "type into the terminal",
        """
import fcntl, termios
for fd in [0, 1, 2]:
    tries("TIOCSTI", lambda: fcntl.ioctl(fd, termios.TIOCSTI, b"x") or True)
    tries("TIOCLINUX", lambda: fcntl.ioctl(fd, 0x541C, b"\\3") or True)
    os.isatty(fd) and breach("a terminal")
tries("tty", lambda: os.open("/dev/tty", os.O_RDWR))
""",
    ),
    *((_FOREIGN_ABI, _X32_ABI) if platform.machine() == "x86_64" else ()),
)
