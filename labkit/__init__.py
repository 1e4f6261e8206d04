"""labkit: the instruments, models, engine and exercises under the notebooks of *Large Models, Layer by Layer*.

`import labkit as lk` is quick and loads no torch; each name below is fetched from its room when first used.
The rooms and which may import which: see the README and the floors contract in pyproject.toml.
"""

from __future__ import annotations

from typing import Any

from labkit.lazy import lazy_names

__version__ = "0.1.0"

_ROOM_OF = {
    "Lab": "labkit.course",
    "ceilings": "labkit.measure",
    "compare": "labkit.measure",
    "energy": "labkit.measure",
    "load": "labkit.models",
    "machine": "labkit.measure",
    "peak_memory": "labkit.measure",
    "roofline": "labkit.measure",
    "sweep": "labkit.measure",
    "trace": "labkit.measure",
}

__all__ = ["__version__", *sorted(_ROOM_OF)]
__getattr__, __dir__ = lazy_names(__name__, _ROOM_OF)


def load_ipython_extension(ipython: Any) -> None:
    """`%load_ext labkit` adds the `%%trace` cell magic."""
    from labkit.measure import magic

    magic.load_ipython_extension(ipython)
