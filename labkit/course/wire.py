"""Plain data as text and back: what may cross between a learner's code and the checks.

Not pickle, which runs code when read, and not plain JSON, which loses tuples, dtypes and NaN. Types are taken by
`type(x) is`, so an object that only pretends to be a number does not cross. The same wire is used in the notebook and
by the grader between its two processes: what arrives is always a fresh copy.

One spelling a value: JSON's own for None, bool, small int, finite float, str and list; everything else is an object
with a single key naming its kind, such as `{"tuple": [...]}` or `{"array": ["float32", [2, 3], "base64"]}`.
"""

from __future__ import annotations

import base64
import json
import math
import sys
from typing import Any

import numpy as np

MAX_BYTES = 64 * 2**20
MAX_DEPTH = 32
MAX_NDIM = 16
EXACT_IN_JSON = 2**53

_INTS = ("bool", "int8", "int16", "int32", "int64", "uint8")
_FLOATS = ("float16", "float32", "float64", "complex64", "complex128")
ARRAY_DTYPES = frozenset((*_INTS, "uint16", "uint32", "uint64", *_FLOATS))
TENSOR_DTYPES = frozenset((*_INTS, *_FLOATS, "bfloat16", "float8_e4m3fn", "float8_e5m2"))
SCALAR_TYPES = {np.dtype(name).type: name for name in ARRAY_DTYPES}


class NotPlainError(ValueError):
    """The value (or text) is not plain data; the message says what was found instead."""


def encode(value: Any, max_bytes: int = MAX_BYTES) -> str:
    """`value` as text of at most `max_bytes` characters; `NotPlainError` says in one sentence what cannot cross.

    >>> encode((1, [2.5, None], "a"))
    '{"tuple": [1, [2.5, null], "a"]}'
    >>> decode(encode({(1, 2): float("inf")}))
    {(1, 2): inf}
    """
    text = json.dumps(_Packer(max_bytes).pack(value, 0), allow_nan=False)
    if len(text) > max_bytes:
        raise _too_large(max_bytes)
    return text


def decode(text: str, max_bytes: int = MAX_BYTES) -> Any:
    """The value that `encode` wrote, rebuilt from nothing but numbers and text; anything else is `NotPlainError`."""
    if len(text) > max_bytes:
        raise _too_large(max_bytes)
    try:
        tree = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise NotPlainError(f"Plain data is nested at most {MAX_DEPTH} levels deep.") from None
    except ValueError as error:
        raise NotPlainError(f"This is not plain data as text: {error}.") from None
    return _unpack(tree, 0)


class _Packer:
    """Walks a value once and stops as soon as it is known to be too large, before anything large is copied."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.left = max_bytes

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise _too_large(self.max_bytes)

    def pack(self, value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise NotPlainError(f"Plain data is nested at most {MAX_DEPTH} levels deep.")
        kind = type(value)
        self.spend(8)  # no item is free: a list of a billion Nones is refused too
        if value is None or kind is bool:
            return value
        if kind is int:
            self.spend(value.bit_length() // 4)
            return value if abs(value) < EXACT_IN_JSON else {"int": hex(value)}
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if kind is str:
            self.spend(len(value))
            return value
        if kind is bytes:
            return {"bytes": self.base64(value, len(value))}
        if kind is list:
            return [self.pack(item, depth + 1) for item in value]
        if kind is tuple:
            return {"tuple": [self.pack(item, depth + 1) for item in value]}
        if kind is dict:
            return {"dict": [[self.pack(k, depth + 1), self.pack(v, depth + 1)] for k, v in value.items()]}
        return self.numbers(value, kind)

    def numbers(self, value: Any, kind: type) -> dict[str, list]:
        if kind in SCALAR_TYPES:
            return {"scalar": [SCALAR_TYPES[kind], self.base64(value, value.nbytes)]}
        if kind is np.ndarray:
            if value.dtype.name not in ARRAY_DTYPES or not value.dtype.isnative:
                raise NotPlainError(f"A numpy array of dtype {value.dtype} is not plain data.")
            return {"array": [value.dtype.name, list(value.shape), self.base64(value, value.nbytes)]}
        torch = sys.modules.get("torch")
        if torch is not None and kind is torch.Tensor:
            return {"tensor": self.tensor(value, torch)}
        raise NotPlainError(f"A value of type {kind.__module__}.{kind.__qualname__} is not plain data.")

    def tensor(self, value: Any, torch: Any) -> list:
        dtype = str(value.dtype).removeprefix("torch.")
        if value.layout is not torch.strided or value.is_meta or dtype not in TENSOR_DTYPES:
            raise NotPlainError(f"A {value.layout} tensor of dtype {dtype} on {value.device} is not plain data.")
        size = value.numel() * value.element_size()
        self.spend(size)
        self.left += size
        if not size:
            return [dtype, list(value.shape), ""]
        flat = value.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
        return [dtype, list(value.shape), self.base64(flat.view(torch.uint8).numpy(), size)]

    def base64(self, value: Any, size: int) -> str:
        self.spend(4 * (size // 3 + 1))
        return base64.b64encode(value if type(value) is bytes else value.tobytes()).decode("ascii")


def _unpack(tree: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise NotPlainError(f"Plain data is nested at most {MAX_DEPTH} levels deep.")
    if type(tree) is list:
        return [_unpack(item, depth + 1) for item in tree]
    if type(tree) is not dict:
        return tree
    if len(tree) != 1:
        raise NotPlainError(f"An object on the wire has one key naming its kind; this one has {len(tree)}.")
    ((kind, body),) = tree.items()
    if kind not in _READERS:
        raise NotPlainError(f"{kind[:40]!r} is not a kind of plain data.")
    try:
        return _READERS[kind](body, depth)
    except NotPlainError:
        raise
    except (TypeError, ValueError, OverflowError, MemoryError, RuntimeError) as error:  # torch's own are RuntimeError
        raise NotPlainError(f"The {kind} on the wire is damaged: {error}.") from None


def _read_dict(body: Any, depth: int) -> dict:
    return {_unpack(key, depth + 1): _unpack(item, depth + 1) for key, item in body}


def _read_tuple(body: Any, depth: int) -> tuple:
    if type(body) is not list:
        raise NotPlainError("A tuple on the wire is a list.")
    return tuple(_unpack(item, depth + 1) for item in body)


def _read_float(body: Any, _: int) -> float:
    if body not in ("nan", "inf", "-inf"):
        raise NotPlainError("A float on the wire with a name is nan, inf or -inf.")
    return float(body)


def _read_bytes(body: Any, _: int = 0) -> bytes:
    return base64.b64decode(body, validate=True)


def _read_scalar(body: Any, _: int) -> np.generic:
    name, data = body
    return np.frombuffer(_read_bytes(data), _known(name, ARRAY_DTYPES)).reshape(())[()]


def _read_array(body: Any, _: int) -> np.ndarray:
    name, shape, data = body
    return np.frombuffer(_read_bytes(data), _known(name, ARRAY_DTYPES)).reshape(_shape(shape)).copy()


def _read_tensor(body: Any, _: int) -> Any:
    import torch

    name, shape, data = body
    dtype = getattr(torch, _known(name, TENSOR_DTYPES))
    raw = np.frombuffer(_read_bytes(data), np.uint8).copy()
    if math.prod(_shape(shape)) * dtype.itemsize != raw.size:
        raise ValueError(f"{raw.size} bytes do not fill the shape {shape}")
    return torch.from_numpy(raw).view(dtype).reshape(shape) if raw.size else torch.empty(shape, dtype=dtype)


def _known(name: Any, names: frozenset[str]) -> str:
    if type(name) is not str or name not in names:
        raise ValueError(f"{str(name)[:40]!r} is not a known dtype")
    return name


def _shape(shape: Any) -> list[int]:
    if type(shape) is not list or len(shape) > MAX_NDIM or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("a shape is a list of whole numbers that are not negative")
    return shape


def _refuse_constant(name: str) -> None:
    raise NotPlainError(f"{name} is not written bare on the wire.")


def _too_large(max_bytes: int) -> NotPlainError:
    return NotPlainError(f"This is more than {max_bytes / 2**20:.3g} MiB of plain data.")


_READERS = {
    "int": lambda body, _: int(body, 16),
    "float": _read_float,
    "bytes": _read_bytes,
    "tuple": _read_tuple,
    "dict": _read_dict,
    "scalar": _read_scalar,
    "array": _read_array,
    "tensor": _read_tensor,
}
