"""One warm sandbox behind two pipes: requests in, plain data out. What comes out is bounded and not believed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from typing import Any, Literal

from labkit.course.grading import bubblewrap
from labkit.course.grading.inside.confine import Limits
from labkit.course.grading.inside.frames import BrokenFrameError, read_frame, write_frame
from labkit.course.wire import NotPlainError, decode, encode

START_SECONDS = 120.0
MOST_BYTES = 32 << 20
_PRELOADED = ("torch",)  # slow to import, and some checks and solutions do so only once they are called
_GRACE = 30.0  # for a supervisor to end what it watches and to report, on a busy machine

Reason = Literal["ended", "timeout", "memory", "output", "lost"]


class SandboxError(RuntimeError):
    """The sandbox cannot be had on this machine; the message says why."""


@dataclasses.dataclass(frozen=True)
class Reply:
    """How a request ended, and the messages handed in. `lost`: the sandbox itself died or was silent.

    `seconds` that a timed question took; None when it was not answered, or none was put.
    """

    reason: Reason
    status: int = 0
    handed_in: tuple[bytes, ...] = ()
    seconds: float | None = None


class Sandbox:
    """`confined=False` runs the same worker as a plain process: no protection from the code it runs."""

    def __init__(self, confined: bool = True) -> None:
        if confined and (problem := bubblewrap.why_not()):
            raise SandboxError(problem)
        self.confined = confined
        self._process: subprocess.Popen | None = None

    def ask(
        self,
        header: dict[str, Any],
        payload: bytes,
        limits: Limits,
        most_bytes: int = MOST_BYTES,
        question: bytes | None = None,
    ) -> Reply:
        """Send one request, starting the worker when none is there; one that fails is replaced by the next call.

        `question` is what a request of the kind `time` is timed on.
        """
        worker = self._process or self._start()
        head = encode({**header, "limits": dataclasses.asdict(limits), "most_bytes": most_bytes}).encode()
        try:
            write_frame(worker.stdin.fileno(), head)
            write_frame(worker.stdin.fileno(), payload)
            if question is not None:
                write_frame(worker.stdin.fileno(), question)
            deadline = time.monotonic() + limits.wall_seconds + _GRACE
            end = decode(read_frame(worker.stdout.fileno(), 2 * most_bytes, deadline).decode(), 2 * most_bytes)
            return Reply(end["reason"], end["status"], tuple(end["handed_in"]), end["seconds"])
        except (BrokenFrameError, BrokenPipeError, NotPlainError, KeyError, ValueError):
            self.close()
            return Reply("lost")

    def close(self) -> None:
        """End the worker and everything in its room."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()
            self._process = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> subprocess.Popen:
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                self._command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0, close_fds=True
            )
            self._process = process
            try:
                read_frame(process.stdout.fileno(), 64, time.monotonic() + START_SECONDS)
            except BrokenFrameError as error:
                self.close()
                errors.seek(0)
                told = errors.read(2000).decode(errors="replace").strip() or str(error)
                raise SandboxError(f"it could not be started: {told}") from None
        return process

    def _command(self) -> list[str]:
        site = bubblewrap.SITE if self.confined else str(bubblewrap.PACKAGE.parent)
        start = (
            f"import sys; sys.path.insert(0, {site!r});"
            f" from labkit.course.grading.inside.worker import main; main({self.confined}, {_PRELOADED!r})"
        )
        python = [sys.executable, "-I", "-B", "-c", start]
        return bubblewrap.command(python) if self.confined else python


def only_message(reply: Reply) -> Any:
    """The one JSON message of a reply that must have one; `ValueError` otherwise."""
    if len(reply.handed_in) != 1:
        raise ValueError(f"there is no answer ({reply.reason}, exit status {reply.status})")
    return json.loads(reply.handed_in[0])
