"""Plain data in words: the type of a value as a learner would say it, a short picture of it, and how large it is."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

LONGEST = 300
_PLAIN_NAMES = {
    type(None): "None",
    bool: "a bool",
    int: "an int",
    float: "a float",
    str: "a string",
    bytes: "a bytes string",
}


def is_tensor(value: Any) -> bool:
    """True for a `torch.Tensor` and no subclass of it; does not import torch."""
    torch = sys.modules.get("torch")
    return torch is not None and type(value) is torch.Tensor


def is_array(value: Any) -> bool:
    """True for a numpy array or a tensor: a value with a dtype and a shape."""
    return type(value) is np.ndarray or is_tensor(value)


def dtype_name(value: Any) -> str:
    """The dtype of an array or tensor without the name of its library, such as `float32`."""
    return str(value.dtype).removeprefix("torch.")


def describe_type(value: Any) -> str:
    """
    >>> describe_type(3), describe_type([1, 2]), describe_type(np.zeros((2, 3)))
    ('an int', 'a list of 2 items', 'a float64 numpy array of shape (2, 3)')
    """
    kind = type(value)
    if kind in _PLAIN_NAMES:
        return _PLAIN_NAMES[kind]
    if kind in (list, tuple, dict):
        return f"a {kind.__name__} of {len(value)} item{'' if len(value) == 1 else 's'}"
    if is_array(value):
        library = "torch tensor" if is_tensor(value) else "numpy array"
        return f"{_article(dtype_name(value))} {library} of shape {tuple(value.shape)}"
    return f"a value of type {kind.__module__.partition('.')[0]}.{kind.__qualname__}"


def picture(value: Any, longest: int = LONGEST) -> str:
    """The value as Python would print it, or only its type and shape when that is too long to read.

    >>> picture([1.0, 2.5]), picture(list(range(1000)))
    ('[1.0, 2.5]', 'a list of 1000 items: [0, 1, 2, 3, ... 999]')
    """
    if type(value) is int and value.bit_length() > 3 * longest:
        return f"an int of {value.bit_length()} bits"
    if type(value) is int or size(value) <= longest:
        text = repr(value) if not isinstance(value, np.generic) else f"{value!s} ({type(value).__name__})"
        if len(text) <= longest:
            return text
    if type(value) in (list, tuple) and value:
        head = ", ".join(picture(item, 40) for item in value[:4])
        return f"{describe_type(value)}: [{head}, ... {picture(value[-1], 40)}]"
    if type(value) is str:
        return f"{value[: longest // 2]!r} ... ({len(value)} characters)"
    return describe_type(value)


def size(value: Any) -> int:
    """How much there is to read in a value; the smallest failing input is the one with the least.

    >>> size(1) < size(4096) < size([1, 2, 3, 4096])
    True
    """
    if type(value) is int:
        return 1 + value.bit_length()
    if type(value) in (str, bytes):
        return 1 + len(value)
    if type(value) in (list, tuple):
        return 1 + sum(map(size, value))
    if type(value) is dict:
        return 1 + sum(size(k) + size(v) for k, v in value.items())
    if is_array(value):
        return 1 + int(np.prod(value.shape))
    return 1


def _article(word: str) -> str:
    return f"an {word}" if word.startswith("int") else f"a {word}"
