"""A clock whose truth is known: functions spend its time, drift and noise are arguments."""

from __future__ import annotations

import random
from collections.abc import Callable


class VirtualClock:
    """Time passes only in `spend`. `drift` slows work down by that share a second; `tail` is the chance of a hiccup."""

    name = "virtual time"
    resolution = 1e-6

    def __init__(self, *, drift: float = 0.0, noise: float = 0.0, tail: float = 0.0, seed: int = 0) -> None:
        self.now, self.drift, self.noise, self.tail = 0.0, drift, noise, tail
        self.random = random.Random(seed)

    def spend(self, seconds: float) -> None:
        taken = seconds * (1 + self.drift * self.now) * self.random.lognormvariate(0, self.noise)
        if self.random.random() < self.tail:
            taken *= 20
        self.now += taken

    def time(self, run: Callable[[], object], repeats: int) -> float:
        start = self.now
        for _ in range(repeats):
            run()
        return self.now - start

    def work(self, seconds: float, output: object = 1.0) -> Callable[..., object]:
        """A function that takes `seconds` of this clock and returns `output`."""

        def function(*operands: object) -> object:
            self.spend(seconds)
            return output

        return function
