"""Quantized layers in the places of a decoder without memory: rounded while they are read, or as they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tqdm.auto import tqdm

from labkit.kernels.packed_weight import PackedWeight, pack
from labkit.models.decoder import Decoder
from labkit.models.errors import LoadError
from labkit.models.families import checkpoint_name
from labkit.models.packed_schemes import PackedScheme
from labkit.models.quantized_linear import QuantizedLinear
from labkit.models.rounding import rounded
from labkit.models.scheme_lookup import AnyScheme
from labkit.models.schemes import ROLES, Scheme
from labkit.models.walk import linears, replace

if TYPE_CHECKING:
    from labkit.models.filling import Reader


def fill_quantized(model: Decoder, read: Reader, scheme: AnyScheme, stored: AnyScheme | None) -> None:
    """Put the layers that `scheme` quantizes where they belong; the rest of `model` stays empty.

    Raises `LoadError` naming file and layer for one that cannot be quantized or is damaged.
    """
    (_of_ours if isinstance(scheme, PackedScheme) else _of_bitsandbytes)(model, read, scheme, stored)


def _of_bitsandbytes(model: Decoder, read: Reader, scheme: Scheme, stored: Scheme | None) -> None:
    from labkit.models.quantized import mark_quantized, quantized_linear, quantized_linear_from_state

    for site in tqdm(linears(model, ROLES), desc=f"Quantizing to {scheme.name}", leave=False, delay=1):
        empty = model.get_submodule(site.path)
        if stored is None:
            bias = None if empty.bias is None else read(f"{site.path}.bias")
            layer = quantized_linear(read(f"{site.path}.weight"), bias, scheme)
        else:
            state, shape = read.state(site.path), (empty.out_features, empty.in_features)
            try:
                layer = quantized_linear_from_state(state, shape, scheme, read.device)
            except (KeyError, RuntimeError, ValueError) as error:
                where = read.checkpoint.where(checkpoint_name(read.family, f"{site.path}.weight"))
                raise LoadError(f"{where}: the quantized layer {site.path} is damaged: {error}.") from None
        replace(model, site, layer)
    mark_quantized(model, scheme)


def _of_ours(model: Decoder, read: Reader, scheme: PackedScheme, stored: PackedScheme | None) -> None:
    tied = model.config.tie_word_embeddings
    for site in tqdm(linears(model), desc=f"Quantizing to {scheme.name}", leave=False, delay=1):
        layer = None if site.role == "lm_head" and tied else scheme.format_of(site.path)
        if layer is None:
            continue
        empty = model.get_submodule(site.path)
        bias = None if empty.bias is None else read(f"{site.path}.bias")
        try:
            if stored is None:
                weight = pack(rounded(read(f"{site.path}.weight"), layer.weight))
            else:
                state = {name: t.to(read.device) for name, t in read.state(site.path).items()}
                weight = PackedWeight.from_tensors(state, "", layer.weight, empty.in_features)
        except ValueError as error:
            where = read.checkpoint.where(
                checkpoint_name(read.family, f"{site.path}.{'codes' if stored else 'weight'}")
            )
            raise LoadError(f"{where}: {site.path} cannot be {scheme.name}: {error}") from None
        replace(model, site, QuantizedLinear(weight, bias, *layer[1:]))
