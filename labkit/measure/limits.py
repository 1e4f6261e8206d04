"""The least time an operation can take on this machine: the roofline, at the cache level its operands really come from.

limit = max(FLOPs / peak of the dtype, sum over levels of bytes / bandwidth of the level)

(Williams, Waterman and Patterson, "Roofline", CACM 2009, with the levels of Ilic, Pratas and Sousa's cache-aware
model, IEEE Computer Architecture Letters 2014.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from labkit.measure.ceiling_report import Ceilings, Level
from labkit.measure.costs.accounting import Account
from labkit.measure.costs.spec import Region
from labkit.measure.reuse import Piece, reuse_distances


class Limit(NamedTuple):
    """`seconds` at best, `bytes_at` each level by name, and whether "compute" or "memory" traffic sets the limit."""

    seconds: float
    bytes_at: dict[str, float]
    bound: str


def limits(
    accounts: Sequence[Account], ceilings: Ceilings, threads: int | None = None, cold: bool = False
) -> list[Limit | None]:
    """One limit for each account, None where it is unknown. A dtype whose peak nobody measured is bound by memory."""
    levels = ceilings.levels_at(threads)
    regions: list[Region] = [r for a in accounts for r in (*a.reads, *a.writes)]
    pieces = iter(reuse_distances(regions, cold))
    result: list[Limit | None] = []
    for account in accounts:
        mine = [p for _ in range(len(account.reads) + len(account.writes)) for p in next(pieces)]
        result.append(None if account.unknown else _limit(account, mine, levels, ceilings, threads))
    return result


def level_of(distance: float, levels: Sequence[Level]) -> Level:
    """The smallest level that still holds what was used `distance` bytes ago; the last level holds everything."""
    return next((level for level in levels[:-1] if distance <= level.capacity_bytes), levels[-1])


def _limit(
    account: Account, pieces: list[Piece], levels: Sequence[Level], ceilings: Ceilings, threads: int | None
) -> Limit:
    bytes_at: dict[str, float] = {}
    transfer = 0.0
    for piece in pieces:
        level = level_of(piece.distance, levels)
        bytes_at[level.name] = bytes_at.get(level.name, 0) + piece.nbytes
        transfer += piece.nbytes / level.bandwidth
    peak = ceilings.peak(account.dtype, threads) if account.flops and account.dtype else None
    compute = account.flops / peak if account.flops and peak else 0.0
    return Limit(max(compute, transfer), bytes_at, "compute" if compute > transfer else "memory")
