"""The C compiler of this machine."""

from __future__ import annotations

import os
import shutil

COMPILERS = ("cc", "gcc", "clang")


def c_compiler() -> str:
    """The compiler named by `CC`, or the first of `COMPILERS` there is. Raises `LookupError` where there is none."""
    compiler = os.environ.get("CC") or next(filter(shutil.which, COMPILERS), None)
    if compiler is None or shutil.which(compiler) is None:
        raise LookupError(f"no C compiler found (looked for {compiler or ', '.join(COMPILERS)}).")
    return compiler
