"""From a C file in this folder to functions that can be called: compiled once a machine, kept under a content hash."""

from __future__ import annotations

import ctypes
import hashlib
import platform
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from labkit.measure.ceiling_cache import cache_folder
from labkit.measure.compilers import c_compiler
from labkit.measure.machines import machine

FOLDER = Path(__file__).parent
_OPTIMISED = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-Wno-unknown-pragmas")
# Compiler and linker flags, best first. The first leaves the OpenMP calls open, so that they reach the copy that torch
# has loaded: one pool of threads for both. Apple's clang has no OpenMP, some compilers do not know their processor.
_FLAGS = (
    ((*_OPTIMISED, "-fopenmp"), ()),
    ((*_OPTIMISED, "-fopenmp"), ("-fopenmp",)),
    (_OPTIMISED, ()),
    (("-O3", "-fno-math-errno", "-Wno-unknown-pragmas"), ()),
)


class Unbuilt(RuntimeError):  # noqa: N818  not an error where there is a fallback
    """A C file cannot be built or loaded on this machine; the message says why."""


@cache
def native(name: str) -> ctypes.CDLL | None:
    """The functions of `name`.c, or None, with one line on stderr the first time, where they cannot be had."""
    try:
        return build(FOLDER / f"{name}.c", cache_folder() / "native")
    except Unbuilt as reason:
        print(f"labkit: `{name}` runs as plain torch, which is slower: {reason}", file=sys.stderr)
        return None


def typed(
    function: ctypes._CFuncPtr, pointers: int, longs: int, ints: int, result: type | None = None
) -> ctypes._CFuncPtr:
    """`function`, told that it takes so many pointers, then C longs, then ints, and what it returns."""
    if function.argtypes is None:
        function.argtypes = [ctypes.c_void_p] * pointers + [ctypes.c_long] * longs + [ctypes.c_int] * ints
        function.restype = result
    return function


def build(source: Path, folder: Path) -> ctypes.CDLL:
    """Compile `source` into `folder`, or take what is there from before; raises `Unbuilt` with the reason."""
    try:
        compiler = c_compiler()
    except LookupError as error:
        raise Unbuilt(error.args[0]) from None
    refusal = ""
    for compile_flags, link_flags in _FLAGS:
        target = folder / f"{source.stem}-{_content_hash(source, compiler, compile_flags + link_flags)}.so"
        try:
            if not target.exists():
                _compile(source, target, compiler, compile_flags, link_flags)
            return ctypes.CDLL(str(target))
        except (OSError, subprocess.SubprocessError) as error:
            refusal = _first_line(error)
    raise Unbuilt(f"{compiler} does not build {source.name}: {refusal}")


def _content_hash(source: Path, compiler: str, flags: tuple[str, ...]) -> str:
    """Of all that the result depends on: source and headers, compiler, flags, and the processor it is made for."""
    parts = [path.read_bytes() for path in (source, *sorted(source.parent.glob("*.h")))]
    parts += [_version(compiler), " ".join(flags).encode()]
    parts.append(f"{platform.machine()} {machine().processor} {machine().instruction_sets}".encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


@cache
def _version(compiler: str) -> bytes:
    return subprocess.run([compiler, "--version"], capture_output=True, timeout=20, check=False).stdout


def _compile(source: Path, target: Path, compiler: str, compile_flags: tuple, link_flags: tuple) -> None:
    """In a folder of its own, then moved into place in one step: another process never sees half a library."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        built, linked = Path(scratch) / "built.o", Path(scratch) / "linked.so"
        _run([compiler, *compile_flags, "-fPIC", "-c", str(source), "-o", str(built)])
        _run([compiler, *link_flags, "-shared", str(built), "-o", str(linked), "-lm"])
        linked.replace(target)


def _run(command: list[str]) -> None:
    subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def _first_line(error: Exception) -> str:
    text = getattr(error, "stderr", None) or str(error)
    return (text.strip().splitlines() or ["no message"])[0]
