"""Says in one sentence how an output differs from the expected value, with a tolerance that follows from the dtype.

The expected value carries the contract: its type, dtype and shape are what the exercise asks for. Taken with a note
instead of a failure: an int where a float is asked, a numpy scalar or a 0-d array where a number is asked, a list
for a tuple and a tuple for a list. A bool is no number and a number is no bool.

Tolerance: `rtol` is 64 eps of the dtype, room for a sum in another order (4 eps in 16 bits, where the last rounding
dominates); `atol` is 8 eps of the largest expected entry, so that an entry that cancels to zero may keep the rounding
error of what was summed. A Python float is compared at 1e-9, as `math.isclose` does, and zero at 1e-12.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from labkit.course.describe import describe_type, dtype_name, is_array, is_tensor, picture

_EPS = {
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
    "float32": 2.0**-23,
    "float64": 2.0**-52,
    "complex64": 2.0**-23,
    "complex128": 2.0**-52,
}
_PYTHON_FLOAT_RTOL = 1e-9
_PYTHON_FLOAT_ZERO = 1e-12  # what may be left where the terms of a sum cancel to zero


@dataclasses.dataclass(frozen=True)
class Comparison:
    """`problem` is empty when the output is right; `notes` are conversions that were made in the learner's favour."""

    problem: str = ""
    notes: tuple[str, ...] = ()


def compare(expected: Any, output: Any, precision: str | None = None) -> Comparison:
    """`precision` names a dtype whose tolerance holds everywhere, for floats that were computed in fewer bits.

    >>> compare(0.5, 0.25).problem
    'It returned 0.25 where 0.5 is expected.'
    >>> compare(2.0, True).problem
    'It returned a bool where a float is expected.'
    """
    notes: list[str] = []
    return Comparison(_problem(expected, output, precision, "", notes), tuple(dict.fromkeys(notes)))


def tolerance(dtype: str | None) -> tuple[float, float]:
    """`(rtol, atol)` for a dtype, atol as a share of the largest expected entry; `None` is a Python float.

    >>> tolerance("bfloat16")
    (0.03125, 0.0625)
    """
    if dtype is None:
        return _PYTHON_FLOAT_RTOL, 0.0
    eps = _EPS.get(dtype, 0.0)
    return (4 if eps > 1e-4 else 64) * eps, 8 * eps


def _problem(expected: Any, output: Any, precision: str | None, where: str, notes: list[str]) -> str:
    """Empty when right. `where` names the place inside a nested value, such as ` at [2]`."""
    if is_array(expected):
        return _array_problem(expected, output, precision, where)
    if type(expected) in (bool, int, float):
        output = _as_number(output, type(expected), notes)
    if type(expected) in (list, tuple) and type(output) in (list, tuple) and type(expected) is not type(output):
        notes.append(f"Your {type(output).__name__} was taken for the {type(expected).__name__} that is asked.")
        output = type(expected)(output)
    if type(output) is not type(expected):
        return f"It returned {describe_type(output)}{where} where {describe_type(expected)} is expected."
    if type(expected) is float:
        return _float_problem(expected, output, precision, where)
    if type(expected) in (list, tuple):
        return _sequence_problem(expected, output, precision, where, notes)
    if type(expected) is dict:
        return _dict_problem(expected, output, precision, where, notes)
    if output == expected:
        return ""
    return f"It returned {picture(output, 80)}{where} where {picture(expected, 80)} is expected."


def _as_number(output: Any, wanted: type, notes: list[str]) -> Any:
    """A scalar of numpy or torch as the Python number it holds, and an int as the float that is asked."""
    is_scalar = isinstance(output, np.generic) or (is_array(output) and output.ndim == 0)
    if is_scalar:
        number = output.item()
        if type(number) is wanted or (wanted is float and type(number) is int):
            library = "torch" if is_tensor(output) else "numpy"
            notes.append(f"Your {library} scalar was taken for the {wanted.__name__} that is asked.")
            return float(number) if wanted is float else number
        return output
    if wanted is float and type(output) is int:
        notes.append("Your int was taken for the float that is asked.")
        return float(output) if output.bit_length() < 1024 else output
    return output


def _float_problem(expected: float, output: float, precision: str | None, where: str) -> str:
    if output == expected or (output != output and expected != expected):
        return ""
    if output != output:
        return f"It returned NaN{where} where {expected!r} is expected."
    rtol, atol = tolerance(precision)
    room = rtol * abs(expected) if expected else max(atol, _PYTHON_FLOAT_ZERO)
    if math.isfinite(output) and math.isfinite(expected) and abs(output - expected) <= room:
        return ""
    return f"It returned {output!r}{where} where {expected!r} is expected."


def _sequence_problem(expected: Any, output: Any, precision: str | None, where: str, notes: list[str]) -> str:
    if len(expected) != len(output):
        return f"It returned {len(output)} items{where} where {len(expected)} are expected."
    for index, (right, yours) in enumerate(zip(expected, output, strict=True)):
        problem = _problem(right, yours, precision, f"{where or ' at '}[{index}]", notes)
        if problem:
            return problem
    return ""


def _dict_problem(expected: dict, output: dict, precision: str | None, where: str, notes: list[str]) -> str:
    for key in [*expected, *output]:
        if key not in output:
            return f"Its dict{where} has no key {picture(key, 80)}."
        if key not in expected:
            return f"Its dict{where} has the key {picture(key, 80)}, which is not expected."
        problem = _problem(expected[key], output[key], precision, f"{where or ' at '}[{picture(key, 40)}]", notes)
        if problem:
            return problem
    return ""


def _array_problem(expected: Any, output: Any, precision: str | None, where: str) -> str:
    if type(output) is not type(expected):
        return f"It returned {describe_type(output)}{where} where {describe_type(expected)} is expected."
    if tuple(output.shape) != tuple(expected.shape):
        return f"Its shape{where} is {tuple(output.shape)} where {tuple(expected.shape)} is expected."
    if dtype_name(output) != dtype_name(expected):
        return f"Its dtype{where} is {dtype_name(output)} where {dtype_name(expected)} is expected."
    right, yours = _as_numpy(expected), _as_numpy(output)
    wrong = ~_close(right, yours, precision or dtype_name(expected))
    if not wrong.any():
        return ""
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = f"[{', '.join(map(str, index))}]" if index else ""
    share = f" ({int(wrong.sum())} of {wrong.size} entries are wrong)" if wrong.size > 1 else ""
    return f"Its entry {where.removeprefix(' at ')}{place} is {yours[index]} where {right[index]} is expected{share}."


def _as_numpy(value: Any) -> np.ndarray:
    """Numbers in the widest type of their kind, so that comparing them rounds nothing."""
    if is_tensor(value):
        value = value.detach().cpu()
        value = (value.double() if value.is_floating_point() else value).numpy()
    return value.astype(np.float64) if value.dtype.kind == "f" else value


def _close(right: np.ndarray, yours: np.ndarray, dtype: str) -> np.ndarray:
    if right.dtype.kind not in "fc":
        return np.asarray(right == yours)
    rtol, atol_share = tolerance(dtype)
    finite = np.isfinite(right)
    atol = atol_share * float(np.abs(right[finite]).max()) if finite.any() else 0.0
    with np.errstate(invalid="ignore"):
        near = np.abs(yours - right) <= rtol * np.abs(right) + atol
    both_nan = np.isnan(right) & np.isnan(yours)
    return np.where(finite & np.isfinite(yours), near, (right == yours) | both_nan)
