"""The loading card: what was loaded, where its bytes are, and how fast this machine could decode at the very best."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from labkit.measure.ceiling import ceilings
from labkit.measure.ceiling_report import Ceilings
from labkit.measure.machines import Machine
from labkit.measure.report import Report, Table, si
from labkit.models.decoder import Decoder
from labkit.models.quantized_linear import QuantizedLinear
from labkit.models.walk import part_of


@dataclass(frozen=True)
class LoadingCard(Report):
    """Facts about a loaded model. Bytes are those held in memory, scales and code tables of quantized layers included.

    The decode ceiling is bandwidth over the bytes one step at batch 1 must read: weights (without the embedding table,
    of which a step reads one row; of experts only those a token goes to) and the cache at `context` tokens. The
    bandwidth is that of the memory level in which such a working set lives. Nothing can decode faster one by one.
    """

    name: str
    source: str
    family: str
    backend: str
    device: str
    dtype: str
    quantization: str | None
    tokenizer: str
    parameters: int
    active_parameters: int
    bytes_by_part: dict[str, int]
    step_weight_bytes: int
    cache_bytes_per_token: int
    context: int
    bandwidth: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def weight_bytes(self) -> int:
        return sum(self.bytes_by_part.values())

    @property
    def step_bytes(self) -> int:
        """Bytes that one decoding step reads at batch 1 with `context` tokens in the cache."""
        return self.step_weight_bytes + self.cache_bytes_per_token * self.context

    @property
    def decode_ceiling(self) -> float | None:
        """Tokens per second that no decoding one by one can exceed here; None until `measured` was called."""
        return None if self.bandwidth is None else self.bandwidth / self.step_bytes

    def measured(self) -> LoadingCard:
        """The card with this machine's ceiling, measured now (some ten seconds) if it was not measured before."""
        return self._against(ceilings(self._machine))

    def remembered(self) -> LoadingCard:
        """The card with this machine's ceiling if it has been measured before, else as it is: loading must not wait."""
        try:
            return self._against(ceilings(self._machine, measure=_not_now))
        except _NotMeasuredError:
            return self

    @property
    def _machine(self) -> str:
        return "cuda" if self.device.startswith("cuda") else "cpu"

    def _against(self, limits: Ceilings) -> LoadingCard:
        return replace(self, bandwidth=limits.bandwidth(self.step_bytes, torch.get_num_threads(), kind="read"))

    def table(self) -> Table:
        held = [[f"bytes, {part}", si(n, "B")] for part, n in self.bytes_by_part.items()]
        rows = [
            ["source", self.source],
            ["family", f"{self.family}, {self.backend}"],
            ["device, dtype", f"{self.device}, {self.quantization or self.dtype}"],
            ["tokenizer", self.tokenizer],
            ["parameters", f"{self.parameters:,}"],
            ["parameters a token uses", f"{self.active_parameters:,}"],
            *held,
            ["bytes, all weights", si(self.weight_bytes, "B")],
            ["cache a token", si(self.cache_bytes_per_token, "B")],
            [f"bytes a decoding step reads at {self.context:,} tokens", si(self.step_bytes, "B")],
            ["decode ceiling", self._ceiling_text()],
        ]
        return Table(self.name, ["fact", "value"], rows, " ".join(self.notes))

    def _ceiling_text(self) -> str:
        if self.bandwidth is None:
            return "not measured yet; card.measured() measures it"
        return f"{self.decode_ceiling:,.0f} tokens/s at {si(self.bandwidth, 'B/s')}"


class _NotMeasuredError(Exception):
    """No ceilings in the cache."""


def _not_now(_: Machine) -> Ceilings:
    raise _NotMeasuredError


def decoder_facts(model: Decoder) -> dict:
    """The part of a card that our decoder knows about itself."""
    held, active_bytes, parameters, active = {}, 0.0, 0, 0.0
    moe = model.config.moe
    share = moe.num_experts_per_tok / moe.num_experts if moe else 1.0
    tied = getattr(model.lm_head, "weight", None) is model.embed_tokens.weight
    for name, tensor, count in held_tensors(model):
        part = part_of(name)
        held[part] = held.get(part, 0) + tensor
        read = share if part == "experts" else float(part != "embedding" or tied)
        active_bytes += tensor * read
        parameters += count
        active += count * (share if part == "experts" else 1.0)
    return {
        "family": model.config.family,
        "parameters": parameters,
        "active_parameters": round(active),
        "bytes_by_part": held,
        "step_weight_bytes": round(active_bytes),
        "cache_bytes_per_token": model.config.cache_elements_per_token() * model.dtype.itemsize,
    }


def held_tensors(model: nn.Module) -> list[tuple[str, int, int]]:
    """Name, bytes in memory and number of weights of every parameter and of every table of scales; shared ones once."""
    held = [(name, p.nbytes, _weights_in(model, name, p)) for name, p in model.named_parameters()]
    seen: set[int] = set()
    for path, module in model.named_modules():
        if isinstance(module, QuantizedLinear):
            held.append((f"{path}.packed", module.packed.nbytes, module.out_features * module.in_features))
        for table in _tables(module):
            if table.data_ptr() not in seen:
                seen.add(table.data_ptr())
                held.append((f"{path}.scales", table.nbytes, 0))
    return held


def _weights_in(model: nn.Module, name: str, parameter: nn.Parameter) -> int:
    """Weights, not bytes: two 4-bit codes share one."""
    owner = model.get_submodule(name.rpartition(".")[0])
    state = getattr(parameter, "quant_state", None) or getattr(getattr(owner, "0", None), "quant_state", None)
    return parameter.numel() if state is None else state.shape.numel()


def _tables(module: nn.Module) -> list[torch.Tensor]:
    """Scales and code tables of a layer of bitsandbytes (of its parametrization, for stacked experts)."""
    state = getattr(module, "quant_state", None)
    if state is not None:
        nested = [state.state2.absmax, state.state2.code, state.offset] if state.nested else []
        return [state.absmax, state.code, *nested]
    int8 = getattr(module, "state", None)
    scales = getattr(int8, "SCB", None)
    if int8 is not None and scales is None:
        scales = getattr(module.weight, "SCB", None)
    return [] if scales is None else [scales]
