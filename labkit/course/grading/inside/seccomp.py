"""The system calls that a learner's process must not make, as a classic BPF program for the kernel.

Not the wall (namespaces, a read-only file system and an unprivileged user are), but the second one: no new user
namespace, no tracing of others, no memory outside the limits, no socket beyond a pipe between one's own processes, no
processor but the one a timed question is bound to.
Source: seccomp(2); numbers from the kernel's syscall tables of x86-64 and of the generic ABI (aarch64).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

_LOAD, _EQUALS, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ, JGE, JSET, RET
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020080  # every CLONE_NEW*, CLONE_NEWTIME included
_AF_UNIX = 1
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER_MODE = 38, 22, 2

_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_REFUSED = {  # name: (x86-64, aarch64)
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "mount_setattr": (442, 442), "unshare": (272, 97), "setns": (308, 268), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186),
    "semget": (64, 190), "mq_open": (240, 180), "syslog": (103, 116), "sched_setaffinity": (203, 122),
}  # fmt: skip
_CLONE, _CLONE3, _SOCKET = (56, 220), (435, 435), (41, 198)


def is_known_machine() -> bool:
    """Whether this file knows the system calls of this processor."""
    return platform.machine() in _ARCHITECTURES


def program(machine: str) -> bytes:
    """The filter for a machine such as `x86_64`, as the array of `struct sock_filter` that the kernel reads.

    >>> len(program("x86_64")) % 8
    0
    """
    architecture, column = _ARCHITECTURES[machine]
    lines = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUALS, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        *(_unless(_AT_LEAST, _X32, errno.ENOSYS) if machine == "x86_64" else ()),
        *_unless(_EQUALS, _CLONE3[column], errno.ENOSYS),  # its flags lie in memory; libc goes on with clone
    ]
    for numbers in _REFUSED.values():
        lines += _unless(_EQUALS, numbers[column], errno.EPERM)
    lines += _on_argument(_CLONE[column], _ANY_BIT, _NEW_NAMESPACES, (errno.EPERM, 0))
    lines += _on_argument(_SOCKET[column], _EQUALS, _AF_UNIX, (0, errno.EAFNOSUPPORT))
    lines.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def install() -> None:
    """Bind this process and all it will ever start; there is no way back."""
    code = ctypes.create_string_buffer(program(platform.machine()))
    header = ctypes.create_string_buffer(struct.pack("@HP", (len(code) - 1) // 8, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    for call in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_PR_SET_SECCOMP, _FILTER_MODE, header, 0, 0)):
        if libc.prctl(*call):
            raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")


def _unless(test: int, operand: int, error: int) -> list[tuple[int, int, int, int]]:
    """Refuse with `error` when the test holds for what is loaded."""
    return [(test, 0, 1, operand), (_RETURN, 0, 0, _ERROR | error)]


def _on_argument(call: int, test: int, operand: int, errors: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """For one call, an error (0 is none) when its first argument passes the test, another when it does not."""
    if_true, if_false = (_ERROR | error if error else _ALLOW for error in errors)
    return [
        (_EQUALS, 0, 4, call),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (test, 0, 1, operand),
        (_RETURN, 0, 0, if_true),
        (_RETURN, 0, 0, if_false),
    ]
