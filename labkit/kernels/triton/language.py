"""triton where it is installed; elsewhere what lets a kernel be defined and read, though never run."""

from __future__ import annotations

try:
    import triton.language as tl
    from triton import jit
except ImportError:
    tl = None

    def jit(function):
        """The function as it is: there is nothing to compile it with."""
        return function


__all__ = ["jit", "tl"]
