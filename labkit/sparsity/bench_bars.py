"""What this room promises, each promise beside what the same run measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

BYTES_24 = 0.57
"""Of dense fp16, at most; places and the header of the file included."""
CHANNELS, CHANNEL_SPEED, ACCURACY_LOST = 0.5, 3.0, 0.02
"""Half of the channels: the least speed, at the largest number of images, and the most that accuracy may fall."""
SKIPPING_SPEED = 1.5
"""Of skipping inactive inputs at batch 1, against the faster of two dense bf16 layers, wherever it is claimed."""
CLAIMED_FROM = 2.0
"""It is claimed where the formula foretells this much. The formula knows bytes and calls alone, so it is a limit."""


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
        what = {"promise": "2:4 bytes over dense fp16", "in": row["in"], "out": row["out"]}
        yield what | {"reached": reached, "bar": BYTES_24, "holds": reached <= BYTES_24}


def _channels(rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    for row in rows:
        if row["density"] != CHANNELS:
            continue
        most = max(row["speed"], key=lambda speed: speed["images"])
        lost = row["accuracy"]["whole"] - row["accuracy"]["fine-tuned"]
        what = {"promise": "half of the channels", "images": most["images"], "accuracy lost": lost}
        holds = most["ratio"] >= CHANNEL_SPEED and lost <= ACCURACY_LOST
        yield what | {"reached": most["ratio"], "bar": CHANNEL_SPEED, "holds": holds}


def _skipping(rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    for row in rows:
        if row["rows"] != 1 or row["foretold"] < CLAIMED_FROM:
            continue
        reached = min(row["torch bf16"]["ratio"], row["packed bf16"]["ratio"])
        what = {"promise": "skipping at batch 1"} | {name: row[name] for name in ("in", "out", "density")}
        yield what | {"reached": reached, "bar": SKIPPING_SPEED, "holds": reached >= SKIPPING_SPEED}
