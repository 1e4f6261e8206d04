"""Putting the tensors of a checkpoint into a decoder that was built without memory.

Every shape is compared with the config before a single weight is read, and every tensor of the file must find its
place: a config that lies fails here, by the name of the field.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm.auto import tqdm

from labkit.models.checkpoint import Checkpoint
from labkit.models.config import DecoderConfig
from labkit.models.decoder import Decoder, StackedExperts
from labkit.models.errors import LoadError
from labkit.models.families import checkpoint_name
from labkit.models.quantized_filling import fill_quantized
from labkit.models.scheme_lookup import AnyScheme
from labkit.models.schemes import Scheme
from labkit.models.walk import unstack_experts

# What decides the shape of a tensor, by the last module of its path: fields of the rows, fields of the columns.
_FIELDS = {
    "embed_tokens": "vocab_size x hidden_size",
    "lm_head": "vocab_size x hidden_size",
    "q_proj": "(num_attention_heads * head_dim) x hidden_size",
    "k_proj": "(num_key_value_heads * head_dim) x hidden_size",
    "v_proj": "(num_key_value_heads * head_dim) x hidden_size",
    "o_proj": "hidden_size x (num_attention_heads * head_dim)",
    "gate_proj": "intermediate_size x hidden_size",
    "up_proj": "intermediate_size x hidden_size",
    "down_proj": "hidden_size x intermediate_size",
    "router": "num_experts x hidden_size",
    "q_norm": "head_dim, or num_attention_heads * head_dim",
    "k_norm": "head_dim, or num_key_value_heads * head_dim",
}
_INERT = ("rotary_emb.inv_freq",)  # written by old versions, computed by all
_QUANTIZED_STATE = (".SCB", ".weight_format", ".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map")
_QUANTIZED_STATE += tuple(f".quant_state.bitsandbytes__{kind}" for kind in ("nf4", "fp4"))


def empty_decoder(config: DecoderConfig) -> Decoder:
    """The decoder with shapes and without memory."""
    with torch.device("meta"):
        return Decoder(config)


def wanted_tensors(model: Decoder) -> dict[str, tuple[int, ...]]:
    """Name (ours, experts one by one) and shape of every tensor a checkpoint must bring."""
    wanted = {}
    for path, module in model.named_modules():
        if isinstance(module, StackedExperts):
            experts, twice, hidden = module.gate_up.shape
            for e in range(experts):
                wanted[f"{path}.{e}.gate_proj.weight"] = wanted[f"{path}.{e}.up_proj.weight"] = (twice // 2, hidden)
                wanted[f"{path}.{e}.down_proj.weight"] = (hidden, twice // 2)
        else:
            for name, parameter in module.named_parameters(path, recurse=False):
                wanted[name] = tuple(parameter.shape)
    if model.config.tie_word_embeddings:
        wanted.pop("lm_head.weight")
    return wanted


def check_tensors(
    wanted: dict[str, tuple[int, ...]], config: DecoderConfig, checkpoint: Checkpoint, stored: AnyScheme | None = None
) -> None:
    """Raises `LoadError` for a tensor that is missing, has another shape than the config says, or has no place.

    `stored` is the scheme the file holds its linear layers in, if any.
    """
    if stored is not None:
        held = [stored.stored_shapes(name, shape) or {name: shape} for name, shape in wanted.items()]
        wanted = {name: shape for parts in held for name, shape in parts.items()}
    named = {checkpoint_name(config.family, name): name for name in wanted}
    for theirs, ours in named.items():
        shape = checkpoint.shape(theirs)
        if shape != wanted[ours]:
            fields = _FIELDS.get(ours.split(".")[-2], "hidden_size")
            raise LoadError(
                f"{checkpoint.where(theirs)}: {theirs} has the shape {_x(shape)}, but config.json says "
                f"{_x(wanted[ours])} ({fields})."
            )
    inert = {"lm_head.weight"} if config.tie_word_embeddings else set()
    endings = (*_INERT, *_QUANTIZED_STATE) if isinstance(stored, Scheme) else _INERT
    spare = sorted(n for n in checkpoint.names() - set(named) - inert if not n.endswith(endings))
    if spare:
        raise LoadError(
            f"{checkpoint.where(spare[0])} holds {len(spare)} tensors that config.json does not account for, "
            f"the first is {spare[0]}. Does num_hidden_layers, num_experts or a bias field say too little?"
        )


def fill(model: Decoder, read: Reader, scheme: AnyScheme | None = None, stored: AnyScheme | None = None) -> None:
    """Read every tensor into `model`, one at a time, quantizing on the way; `stored` is how the file holds them."""
    if scheme is not None:
        unstack_experts(model)
        fill_quantized(model, read, scheme, stored)
    for path, module in tqdm(list(model.named_modules()), desc="Loading weights", leave=False, delay=1):
        if isinstance(module, StackedExperts):
            _fill_stacked(path, module, read)
            continue
        for name, parameter in list(module.named_parameters(recurse=False)):
            if path == "lm_head" and model.config.tie_word_embeddings:
                module.weight = model.embed_tokens.weight
            elif parameter.is_meta:
                setattr(module, name, nn.Parameter(read(f"{path}.{name}")))
    model.rotary.to_empty(device=read.device)


class Reader:
    """Tensors of a checkpoint under our names, on a device, in a dtype."""

    def __init__(self, config: DecoderConfig, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> None:
        self.family, self.checkpoint, self.device, self.dtype = config.family, checkpoint, device, dtype

    def __call__(self, name: str) -> Float[Tensor, " *shape"]:
        """One tensor in the dtype of the model. Raises `LoadError` where fp16 cannot hold it."""
        tensor = self.checkpoint.read(checkpoint_name(self.family, name))
        moved = tensor.to(device=self.device, dtype=self.dtype)
        if moved.dtype == torch.float16 and not torch.isfinite(moved).all():
            raise LoadError(f"{name} holds values beyond fp16; load with dtype='float32' or 'bfloat16'.")
        return moved

    def state(self, path: str) -> dict[str, Tensor]:
        """Every tensor stored under the path of a module, in the dtype of the file."""
        prefix = checkpoint_name(self.family, path) + "."
        names = [n for n in self.checkpoint.names() if n.startswith(prefix)]
        return {n.removeprefix(prefix): self.checkpoint.read(n) for n in names}


def _fill_stacked(path: str, module: StackedExperts, read: Reader) -> None:
    experts, twice, _ = module.gate_up.shape
    gate_up = torch.empty(module.gate_up.shape, dtype=read.dtype, device=read.device)
    down = torch.empty(module.down.shape, dtype=read.dtype, device=read.device)
    for e in range(experts):
        gate_up[e, : twice // 2] = read(f"{path}.{e}.gate_proj.weight")
        gate_up[e, twice // 2 :] = read(f"{path}.{e}.up_proj.weight")
        down[e] = read(f"{path}.{e}.down_proj.weight")
    module.gate_up, module.down = nn.Parameter(gate_up), nn.Parameter(down)


def _x(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
