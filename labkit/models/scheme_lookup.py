"""From a name, or from what a checkpoint says of itself, to a quantization scheme: bitsandbytes' or our own."""

from __future__ import annotations

from typing import Any

from labkit.models.errors import LoadError
from labkit.models.packed_schemes import METHOD, PACKED_SCHEMES, PackedScheme, from_config
from labkit.models.schemes import SCHEMES, Scheme

AnyScheme = Scheme | PackedScheme


def scheme_named(name: str | None) -> AnyScheme | None:
    """Raises `LoadError` for a name that is none of ours."""
    known = SCHEMES | PACKED_SCHEMES
    if name is None or name in known:
        return known.get(name) if name else None
    raise LoadError(f"quantization={name!r} is unknown; choose one of {', '.join(known)} or None.")


def scheme_in_config(raw: dict[str, Any], where: str) -> AnyScheme | None:
    """The scheme a checkpoint is stored in. Raises `LoadError` for a method that is neither ours nor bitsandbytes."""
    stored = raw.get("quantization_config")
    if not stored:
        return None
    method = stored.get("quant_method")
    if method == METHOD:
        return from_config(stored, where)
    if method != "bitsandbytes":
        raise LoadError(f"{where}: quantization_config.quant_method {method!r} is not supported, bitsandbytes is.")
    if stored.get("load_in_8bit"):
        return SCHEMES["int8"]
    kind, double = stored.get("bnb_4bit_quant_type", "fp4"), bool(stored.get("bnb_4bit_use_double_quant", False))
    for scheme in SCHEMES.values():
        if (scheme.quant_type, scheme.double) == (kind, double):
            return scheme
    raise LoadError(f"{where}: quantization_config.bnb_4bit_quant_type {kind!r} (double: {double}) is not supported.")
