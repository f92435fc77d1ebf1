"""System-call numbers of the two supported machines, and the filter's rule for each.

Numbers are the kernel's own: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h
(arm64). A name missing from a machine's table does not exist there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

# What the supervising thread of a root process calls to become an ordinary user (the C library's own
# functions would take the whole process along).
_STEPPING_DOWN = {
    "x86_64": "setgroups=116 setresgid=119 setresuid=117",
    "aarch64": "setgroups=159 setresgid=149 setresuid=147",
}

# Above this number the calls were not reviewed: they are answered as unknown.
NEWEST_REVIEWED = 456

# Denied outright. Reasons by line: other processes; mounts and roots; namespaces; keys; kernel surfaces;
# counted by user;
# contexts that the host counts for all (AIO), rules the kernel keeps permanently (Landlock);
# handles past the mounts; modules and boot; clocks and names; ports and segments; special files;
# memory that no limit sees (attributes of files in memory are such).
_DENIED = """
ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd process_madvise process_mrelease
mount umount2 pivot_root chroot move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr
unshare setns
add_key request_key keyctl
bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register fanotify_init fanotify_mark
inotify_init inotify_init1
io_setup landlock_create_ruleset landlock_add_rule landlock_restrict_self
open_by_handle_at name_to_handle_at
init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff
acct quotactl quotactl_fd syslog settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname
iopl ioperm modify_ldt vhangup personality lookup_dcookie
mknod mknodat
move_pages mbind migrate_pages set_mempolicy set_mempolicy_home_node vmsplice memfd_secret memfd_create
shmget shmat shmctl shmdt semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open mq_unlink
"""
DENIED = tuple(_DENIED.split())
ATTRIBUTES = ("setxattr", "lsetxattr", "fsetxattr")
"""Set extended attributes of files, which no limit of a run counts."""

_X86_64 = """
setxattr=188 lsetxattr=189 fsetxattr=190
inotify_init=253 inotify_init1=294
io_setup=206 landlock_create_ruleset=444 landlock_add_rule=445 landlock_restrict_self=446
mmap=9 ioctl=16 socket=41 clone=56 fcntl=72 chmod=90 fchmod=91 fchmodat=268 fchmodat2=452 clone3=435
ptrace=101 process_vm_readv=310 process_vm_writev=311 kcmp=312 pidfd_getfd=438 process_madvise=440
process_mrelease=448 mount=165 umount2=166 pivot_root=155 chroot=161 move_mount=429 open_tree=428 fsopen=430
fsconfig=431 fsmount=432 fspick=433 mount_setattr=442 unshare=272 setns=308 add_key=248 request_key=249
keyctl=250 bpf=321 perf_event_open=298 userfaultfd=323 io_uring_setup=425 io_uring_enter=426
io_uring_register=427 fanotify_init=300 fanotify_mark=301 open_by_handle_at=304 name_to_handle_at=303
init_module=175 finit_module=313 delete_module=176 kexec_load=246 kexec_file_load=320 reboot=169 swapon=167
swapoff=168 acct=163 quotactl=179 quotactl_fd=443 syslog=103 settimeofday=164 clock_settime=227
clock_adjtime=305 adjtimex=159 sethostname=170 setdomainname=171 iopl=172 ioperm=173 modify_ldt=154
vhangup=153 personality=135 lookup_dcookie=212 mknod=133 mknodat=259 move_pages=279 mbind=237
migrate_pages=256 set_mempolicy=238 set_mempolicy_home_node=450 vmsplice=278 memfd_secret=447 memfd_create=319
shmget=29 shmat=30 shmctl=31 shmdt=67 semget=64 semop=65 semtimedop=220 semctl=66 msgget=68 msgsnd=69
msgrcv=70 msgctl=71 mq_open=240 mq_unlink=241
"""

_ARM64 = """
setxattr=5 lsetxattr=6 fsetxattr=7
inotify_init1=26
io_setup=0 landlock_create_ruleset=444 landlock_add_rule=445 landlock_restrict_self=446
mmap=222 ioctl=29 socket=198 clone=220 fcntl=25 fchmod=52 fchmodat=53 fchmodat2=452 clone3=435
ptrace=117 process_vm_readv=270 process_vm_writev=271 kcmp=272 pidfd_getfd=438 process_madvise=440
process_mrelease=448 mount=40 umount2=39 pivot_root=41 chroot=51 move_mount=429 open_tree=428 fsopen=430
fsconfig=431 fsmount=432 fspick=433 mount_setattr=442 unshare=97 setns=268 add_key=217 request_key=218
keyctl=219 bpf=280 perf_event_open=241 userfaultfd=282 io_uring_setup=425 io_uring_enter=426
io_uring_register=427 fanotify_init=262 fanotify_mark=263 open_by_handle_at=265 name_to_handle_at=264
init_module=105 finit_module=273 delete_module=106 kexec_load=104 kexec_file_load=294 reboot=142 swapon=224
swapoff=225 acct=89 quotactl=60 quotactl_fd=443 syslog=116 settimeofday=170 clock_settime=112
clock_adjtime=266 adjtimex=171 sethostname=161 setdomainname=162 vhangup=58 personality=92 lookup_dcookie=18
mknodat=33 move_pages=239 mbind=235 migrate_pages=238 set_mempolicy=237 set_mempolicy_home_node=450
vmsplice=75 memfd_secret=447 memfd_create=279 shmget=194 shmat=196 shmctl=195 shmdt=197 semget=190 semop=193
semtimedop=192 semctl=191 msgget=186 msgsnd=189 msgrcv=188 msgctl=187 mq_open=180 mq_unlink=181
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """`audit` is the kernel's AUDIT_ARCH value; numbers at or above `foreign` belong to another ABI (x32)."""

    audit: int
    numbers: Mapping[str, int]
    foreign: int | None = None


def stepping_down(machine: str) -> Mapping[str, int]:
    """Numbers of setgroups, setresgid and setresuid on a machine of `MACHINES`."""
    return _table(_STEPPING_DOWN[machine])


def _table(text: str) -> Mapping[str, int]:
    pairs = (entry.split("=") for entry in text.split())
    return MappingProxyType({name: int(number) for name, number in pairs})


MACHINES: Mapping[str, Machine] = MappingProxyType(
    {
        "x86_64": Machine(0xC000003E, _table(_X86_64), foreign=0x40000000),
        "aarch64": Machine(0xC00000B7, _table(_ARM64)),
    }
)
