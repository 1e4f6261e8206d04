"""Times one answer by the supervisor's clock, which the code that is timed can neither read, replace nor stop.

The timed question waits outside the answerer's memory until the answerer says that it is ready. The clock starts before
the question's first byte is sent and stops with the last byte of the answer: an answer known without the question would
have been guessed, and one sent early is the one that is judged. Whoever says *ready* too soon is timed for longer.
"""

from __future__ import annotations

import os
import time

from labkit.course.grading.inside.frames import count_frames

READY = b"ready"


class Stopwatch:
    """`question` is sent through the pipe `into` without ever waiting for its reader, who may not be there."""

    def __init__(self, question: bytes, into: int) -> None:
        self.into = into
        self._unsent = memoryview(len(question).to_bytes(8, "big") + question)
        self._started: float | None = None
        self.seconds: float | None = None
        os.set_blocking(into, False)

    @property
    def is_sending(self) -> bool:
        """Whether `send` has something left to do."""
        return self._started is not None and bool(self._unsent)

    def hear(self, received: bytearray) -> None:
        """Told whenever more has come from the answerer; `received` is all of it so far."""
        frames = count_frames(received, 2)
        if frames >= 1 and self._started is None:
            self._started = time.perf_counter()
        if frames >= 2 and self.seconds is None:
            self.seconds = time.perf_counter() - self._started

    def send(self) -> None:
        """As much of the question as the pipe takes now."""
        try:
            self._unsent = self._unsent[os.write(self.into, self._unsent) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it will never be read
            self._unsent = memoryview(b"")
