"""labkit: the instruments, models, engine and exercises under the notebooks of *Large Models, Layer by Layer*.

`import labkit as lk` is quick and loads no torch; each name below is fetched from its room when first used.
The rooms and which may import which: see the README and the floors contract in pyproject.toml.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

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


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"labkit has no {name!r}; it offers {', '.join(sorted(_ROOM_OF))}")
    return getattr(import_module(_ROOM_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOM_OF])


def load_ipython_extension(ipython: Any) -> None:
    """`%load_ext labkit` adds the `%%trace` cell magic."""
    import_module("labkit.measure.magic").load_ipython_extension(ipython)
