"""What this room promises, each promise beside what the same run measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labkit.measure.promise import promised

BYTES_24 = 0.57
"""Of dense fp16, at most; places and the header of the file included."""
CHANNELS, CHANNEL_SPEED, ACCURACY_LOST = 0.5, 3.0, 0.02
"""Half of the channels: the least speed, at the largest number of images, and the most that accuracy may fall."""
SKIPPING_SPEED = 1.5
"""Of skipping inactive inputs at batch 1, against the faster of two dense bf16 layers, wherever it is claimed."""
CLAIMED_FROM = 2 * SKIPPING_SPEED
"""It is claimed where half of what the formula foretells is enough: the formula knows bytes and calls alone."""


def bars(found: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a promise and shape; `found` is what the bench measured."""
    return [
        *_bytes(found["2:4 bytes over dense fp16"]),
        *_channels(found["channels of a convolution network"]),
        *_skipping(found["skipping inactive inputs"]),
    ]


def _bytes(rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    for row in rows:
        reached = max(row["in memory"], row["on disk"])
        shape = {"in": row["in"], "out": row["out"]}
        yield promised("2:4 bytes over dense fp16", reached, BYTES_24, reached <= BYTES_24, **shape)


def _channels(rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    for row in rows:
        if row["density"] != CHANNELS:
            continue
        most = max(row["speed"], key=lambda speed: speed["images"])
        lost = row["accuracy"]["whole"] - row["accuracy"]["fine-tuned"]
        holds = most["ratio"] >= CHANNEL_SPEED and lost <= ACCURACY_LOST
        where = {"images": most["images"], "accuracy lost": lost}
        yield promised("half of the channels", most["ratio"], CHANNEL_SPEED, holds, **where)


def _skipping(rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    for row in rows:
        if row["rows"] != 1 or row["foretold"] < CLAIMED_FROM:
            continue
        reached = min(row["torch bf16"]["ratio"], row["packed bf16"]["ratio"])
        where = {name: row[name] for name in ("in", "out", "density")}
        yield promised("skipping at batch 1", reached, SKIPPING_SPEED, **where)
