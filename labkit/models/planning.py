"""What a model will take, from its config alone, before a byte of it is read or fetched.

An estimate of weights, cache and the largest tensor in flight while loading. A model that does not fit is refused with
this table and two ways out; nothing is loaded half-way and swapped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from labkit.measure.report import Report, Table, si
from labkit.models.config import DecoderConfig
from labkit.models.errors import LoadError
from labkit.models.filling import empty_decoder, wanted_tensors
from labkit.models.scheme_lookup import AnyScheme
from labkit.models.schemes import SCHEMES
from labkit.models.walk import part_of

PLANNED_CONTEXT = 4096  # tokens of cache a plan sets aside, or the model's context if that is shorter


@dataclass(frozen=True)
class Plan(Report):
    """Bytes a model will need on a device, and what the device has."""

    name: str
    device: str
    dtype: str
    quantization: str | None
    parameters_by_part: dict[str, int]
    bytes_by_part: dict[str, int]
    cache_bytes_per_token: int
    context: int
    loading_bytes: int
    available: int

    @property
    def weight_bytes(self) -> int:
        return sum(self.bytes_by_part.values())

    @property
    def cache_bytes(self) -> int:
        return self.cache_bytes_per_token * self.context

    @property
    def needed(self) -> int:
        """At the worst moment: weights with the tensor in flight while loading, or with the cache afterwards."""
        return self.weight_bytes + max(self.loading_bytes, self.cache_bytes)

    @property
    def fits(self) -> bool:
        return self.needed <= self.available

    def table(self) -> Table:
        rows = [[part, f"{n:,}", si(self.bytes_by_part[part], "B")] for part, n in self.parameters_by_part.items()]
        rows += [
            ["weights", f"{sum(self.parameters_by_part.values()):,}", si(self.weight_bytes, "B")],
            [f"cache, {self.context:,} tokens", "", si(self.cache_bytes, "B")],
            ["largest tensor while loading", "", si(self.loading_bytes, "B")],
            ["needed at the worst moment", "", si(self.needed, "B")],
            [f"available on {self.device}", "", si(self.available, "B")],
        ]
        title = f"{self.name} in {self.quantization or self.dtype} on {self.device}"
        return Table(title, ["part", "parameters", "memory"], rows)


def make_plan(
    name: str,
    config: DecoderConfig,
    dtype: torch.dtype,
    scheme: AnyScheme | None,
    device: torch.device,
    available: int,
) -> Plan:
    """The plan for one way of loading; `available` is in bytes."""
    parameters: dict[str, int] = {}
    held: dict[str, int] = {}
    largest = 0
    for tensor, shape in wanted_tensors(empty_decoder(config)).items():
        part, count = part_of(tensor), math.prod(shape)
        packed = None if scheme is None else scheme.held_bytes(tensor, shape)
        parameters[part] = parameters.get(part, 0) + count
        held[part] = held.get(part, 0) + (count * dtype.itemsize if packed is None else packed)
        largest = max(largest, count * max(dtype.itemsize, 4))
    return Plan(
        name=name,
        device=str(device),
        dtype=str(dtype).removeprefix("torch."),
        quantization=scheme.name if scheme else None,
        parameters_by_part=parameters,
        bytes_by_part=held,
        cache_bytes_per_token=config.cache_elements_per_token() * dtype.itemsize,
        context=min(config.max_position_embeddings, PLANNED_CONTEXT),
        loading_bytes=largest,
        available=available,
    )


def refuse_if_too_big(
    plan: Plan, config: DecoderConfig, dtype: torch.dtype, device: torch.device, shipped: list[str]
) -> None:
    """Raises `LoadError` with the plan's table and two suggestions if the model does not fit."""
    if plan.fits:
        return
    smaller = _smaller(plan, config, dtype, device)
    first, second = [*smaller[:1], *_spread(device), *smaller[1:], *_elsewhere(plan, shipped)][:2]
    raise LoadError(
        f"{plan.name} needs {si(plan.needed, 'B')} and {plan.device} has {si(plan.available, 'B')} free, "
        f"so it was not loaded. Either {first}, or {second}.\n\n{plan.table()}"
    )


def _smaller(plan: Plan, config: DecoderConfig, dtype: torch.dtype, device: torch.device) -> list[str]:
    """Formats in which it would fit, the most exact first."""
    ways = []
    half = make_plan(plan.name, config, torch.bfloat16, None, device, plan.available)
    if plan.quantization is None and dtype == torch.float32 and half.fits:
        ways.append(f"say dtype='bfloat16' ({si(half.needed, 'B')}, perhaps slower on this processor)")
    for scheme in (SCHEMES["int8"], SCHEMES["nf4"], SCHEMES["nf4-double"]):
        packed = make_plan(plan.name, config, dtype, scheme, device, plan.available)
        if packed.fits and packed.needed < plan.needed:
            ways.append(f"say quantization='{scheme.name}' ({si(packed.needed, 'B')})")
    return ways


def _spread(device: torch.device) -> list[str]:
    gpus = torch.cuda.device_count() if device.type == "cuda" else 0
    if gpus < 2:
        return []
    return [f"say backend='transformers', which spreads a model over your {gpus} GPUs with accelerate"]


def _elsewhere(plan: Plan, shipped: list[str]) -> list[str]:
    small = f"take a smaller model ({', '.join(shipped)} are shipped)" if shipped else "take a smaller model"
    return [small, f"use a machine with {si(plan.needed, 'B')} of free memory"]


def on_all_gpus(plan: Plan) -> Plan:
    """The same plan against the free memory of all GPUs together."""
    free = sum(torch.cuda.mem_get_info(n)[0] for n in range(torch.cuda.device_count()))
    return replace(plan, available=free, device=f"{torch.cuda.device_count()} GPUs")
