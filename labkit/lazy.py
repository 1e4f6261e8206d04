"""Public names of a package that are fetched from their module when first used.

Opening a room must cost nothing: `import labkit` loads no torch, and a room's own modules load only when asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, module_of: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` for `package` (PEP 562), offering each name of `module_of` from its module.

    >>> get, _ = lazy_names("stationery", {"sqrt": "math"})
    >>> get("sqrt")(9.0)
    3.0
    >>> get("cube")
    Traceback (most recent call last):
    AttributeError: stationery has no 'cube'; it offers sqrt
    """

    def get(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"{package} has no {name!r}; it offers {', '.join(sorted(module_of))}")
        return getattr(import_module(module_of[name]), name)

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *module_of})

    return get, names
