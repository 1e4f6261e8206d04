"""The instruments: what this machine can do at best, and what a piece of PyTorch code does on it.

Knows no model, no kernel and no course: higher rooms register what they cost and ask. Nothing here is imported until
it is used, so that `import labkit` stays quick and loads no torch. A submodule never bears the name of a public
function, because importing it would then put the module in the function's place.

Legend of this room: `M N K` rows, columns and inner length of a matrix product; `threads` is 1 or the number of cores;
a *working set* is the bytes an operation touches, inputs and outputs together. Bytes are bytes (never GiB), rates are
B/s and FLOP/s (an int8 multiply-add counts as two operations), times are seconds, energies joules.
"""

from __future__ import annotations

from labkit.lazy import lazy_names

_MODULE_OF = {
    "ceilings": "labkit.measure.ceiling",
    "compare": "labkit.measure.comparison",
    "energy": "labkit.measure.energies",
    "machine": "labkit.measure.machines",
    "peak_memory": "labkit.measure.memory",
    "roofline": "labkit.measure.rooflines",
    "sweep": "labkit.measure.sweeping",
    "trace": "labkit.measure.tracing",
}

__all__ = sorted(_MODULE_OF)
__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
