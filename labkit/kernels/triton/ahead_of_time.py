"""A kernel compiled for a GPU that is not here: down to the bytes that it would run, in about a second, on any CPU."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

WARP = 32


def compile_ahead(
    kernel: Any,
    types: Mapping[str, str],
    constants: Mapping[str, Any],
    aligned: Collection[str] = (),
    capability: int = 80,
    **options: int,
) -> Any:
    """What Triton compiles for an NVIDIA GPU of this compute capability (80 is 8.0); its `asm` has "ptx" and "cubin".

    `types` are those of the arguments ("*fp16" points to fp16, "i32" is a whole number), `constants` the values of the
    `constexpr` ones. Pointers, and whole numbers in `aligned`, are taken to be multiples of 16, which a launch finds
    out by itself. `options` are those of a launch: `num_warps`, `num_stages`. Raises `ImportError` without triton, and
    what its compiler raises.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    signature = {name: "constexpr" if name in constants else types[name] for name in kernel.arg_names}
    multiples = [n for n, name in enumerate(kernel.arg_names) if signature[name][0] == "*" or name in aligned]
    attributes = {(n,): [["tt.divisibility", 16]] for n in multiples}
    source = ASTSource(kernel, signature, dict(constants), attributes)
    return triton.compile(source, target=GPUTarget("cuda", capability, WARP), options=options)
