"""Makes a process fit to run a stranger's code: a room of its own, empty folders, limits, no privilege, no way back.

Bubblewrap has built the outer room already (read-only files, no network). What is added here is per question, so that
nothing of one question is there in the next: its own process tree, whose end ends all it started, and its own `/tmp`.
Source: namespaces(7), user_namespaces(7), capabilities(7), getrlimit(2).
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import resource
import struct
import sys
from pathlib import Path

from labkit.course.grading.inside import seccomp

NOBODY = 65534
_NEW_USER, _NEW_PID, _NEW_MOUNT = 0x10000000, 0x20000000, 0x00020000
_NO_SUID, _NO_DEVICES, _READ_ONLY = 2, 4, 1
_BIND_WITH_ALL_IN_IT = 0x1000 | 0x4000
_PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_SECUREBITS = 4, 24, 28
_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAPABILITY_V3 = 0x20080522
_NO_ROOT_PRIVILEGE = 0x2F  # SECBIT_NOROOT and NO_SETUID_FIXUP, KEEP_CAPS off, all locked
_LAST_CAPABILITY = 63
_SCRATCH = b"size=64m,nr_inodes=4096,mode=1777"
_NOTHING = b"size=4k,nr_inodes=1,mode=555"


@dataclasses.dataclass(frozen=True)
class Limits:
    """For one question: memory beyond what the warm worker has, in bytes; CPU and wall time in seconds."""

    memory: int
    cpu_seconds: int
    wall_seconds: float
    processes: int = 32
    file_bytes: int = 64 << 20
    open_files: int = 128


def give_up_root() -> None:
    """Root is exempt from the limit on processes, so it becomes nobody; files stay readable by their modes."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        _libc("prctl", _PR_SET_DUMPABLE, 1, 0, 0, 0)  # lost by the change of user, needed to map users below


def enter_own_room() -> None:
    """New user, process and mount namespaces; a fresh `/tmp` to write to, nothing in `/proc`. The next child is the
    first process there. A descriptor of `/proc` that was opened before still sees all.
    """
    user, group = os.getuid(), os.getgid()
    _libc("unshare", _NEW_USER | _NEW_PID | _NEW_MOUNT)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")
    _freshen_tmp()
    _libc("mount", b"tmpfs", b"/proc", b"tmpfs", _NO_SUID | _NO_DEVICES | _READ_ONLY, _NOTHING)


def _freshen_tmp() -> None:
    """Empty, but for the Python that runs, read-only as before, where its environment was made below `/tmp`."""
    own = {Path(folder).resolve() for folder in (sys.prefix, sys.base_prefix)}
    kept = {folder: os.open(folder, os.O_PATH) for folder in sorted(own) if folder.is_relative_to("/tmp")}
    _libc("mount", b"tmpfs", b"/tmp", b"tmpfs", _NO_SUID | _NO_DEVICES, _SCRATCH)
    for folder, place in kept.items():
        folder.mkdir(parents=True, exist_ok=True)
        _libc("mount", f"/proc/self/fd/{place}".encode(), bytes(folder), None, _BIND_WITH_ALL_IN_IT, None)
        os.close(place)


def address_space() -> int:
    """Bytes of address space of this process, which a limit for its child has to leave room for. Linux only."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def bind_limits(limits: Limits, held: int) -> None:
    """Soft and hard alike; `held` bytes of address space are there already. A user namespace counts its processes
    from one.
    """
    for kind, value in (
        (resource.RLIMIT_AS, held + limits.memory),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_MEMLOCK, 64 << 10),
    ):
        resource.setrlimit(kind, (value, value))


def bind_limits_unconfined(limits: Limits) -> None:
    """Without a sandbox: what a plain process can be bound by on any Unix. It stops accidents, not malice."""
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        most = address_space() + limits.memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def drop_privilege() -> None:
    """No capability now, none to be had later, and the refused system calls refused."""
    _libc("prctl", _PR_SET_SECUREBITS, _NO_ROOT_PRIVILEGE, 0, 0, 0)
    libc = ctypes.CDLL(None)
    capabilities = iter(range(_LAST_CAPABILITY + 1))
    while libc.prctl(_PR_CAPBSET_DROP, next(capabilities), 0, 0, 0) == 0:
        continue  # until the kernel knows no further one
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_V3, 0))
    _libc("syscall", _CAPSET[os.uname().machine], header, ctypes.create_string_buffer(24))
    seccomp.install()


def _libc(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
