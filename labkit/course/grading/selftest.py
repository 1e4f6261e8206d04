"""Before a class is graded: code that means harm runs in the sandbox and reports what it could reach. Fail closed."""

from __future__ import annotations

from pathlib import Path

from labkit.course.grading import bubblewrap
from labkit.course.grading.inside.confine import Limits
from labkit.course.grading.sandbox import Sandbox, SandboxError
from labkit.course.wire import decode, encode

_LIMITS = Limits(memory=1 << 30, cpu_seconds=20, wall_seconds=40)
_SURVEY = """
import ctypes, os, resource, socket, time

def survey(paths, processes):
    def succeeds(action):
        try:
            return action() is not False
        except Exception:
            return False

    def overflow():
        children = []
        try:
            for _ in range(processes + 1):
                child = os.fork()
                if child == 0:
                    time.sleep(60)
                    os._exit(0)
                children.append(child)
        except OSError:
            return False
        finally:
            for child in children:
                os.kill(child, 9)

    return {
        "it can see secret files": any(os.path.exists(path) for path in paths),
        "it runs as root": os.getuid() == 0,
        "it can write outside /tmp": any(succeeds(lambda: open(p, "w")) for p in ("/x", "/opt/x", "/dev/x", "/usr/x")),
        "it sees other processes": os.getpid() != 1 or bool(os.listdir("/proc")),
        "it can open a network socket": succeeds(lambda: socket.socket(socket.AF_INET)),
        "it can make namespaces": succeeds(lambda: ctypes.CDLL(None).unshare(0x10000000) == 0),
        "it can load the course's checks": succeeds(lambda: __import__("labkit.course.labs")),
        "its processes are not limited": succeeds(overflow),
        "its memory is not limited": resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY,
    }
"""


def require_confinement(sandbox: Sandbox, secrets: list[Path]) -> None:
    """`SandboxError` with the reason unless every protection that is promised holds on this machine, now."""
    _require_out_of_sight(secrets)
    arguments = (("paths", [str(path.resolve()) for path in secrets]), ("processes", _LIMITS.processes))
    header = {"kind": "ask", "name": "survey", "source": _SURVEY, "seconds": 30.0}
    reply = sandbox.ask(header, encode([arguments]).encode(), _LIMITS)
    try:
        kind, found, *rest = decode(reply.handed_in[0].decode())
    except (IndexError, ValueError):
        raise SandboxError(f"its test question was not answered ({reply.reason}, exit status {reply.status})") from None
    if kind != "returned":
        raise SandboxError(f"its test question failed: {rest}")
    holes = [hole for hole, is_open in found.items() if is_open]
    if holes:
        raise SandboxError(f"it does not hold: {', '.join(holes)}")


def _require_out_of_sight(secrets: list[Path]) -> None:
    for path in secrets:
        for folder in bubblewrap.visible_folders():
            if path.resolve().is_relative_to(folder):
                raise SandboxError(f"{path} lies in {folder}, which the sandbox can read; move it elsewhere")
