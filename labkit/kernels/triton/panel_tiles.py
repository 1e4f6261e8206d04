"""What kernels read of a quantized weight in panels (`quantized_panels`): tiles of codes, and the scales over them.

A strip, the codes of some neighbouring inputs for the 16 outputs of a panel, is a run of bytes, so a tile is read in
long words; it comes into the order of outputs and inputs after that. A code is at most 8 bits with its sign:
exact in bf16, whose steps below 256 are whole numbers, so a tensor core multiplies it without an error of its own.
"""

from __future__ import annotations

from labkit.kernels.triton.language import jit, tl


@jit
def codes_of(panels, starts, first, size, BITS: tl.constexpr, PANELS: tl.constexpr, DEPTH: tl.constexpr):
    """(16 PANELS, DEPTH) codes less their middle, int8: the strip that begins at byte `first` of codes of `size` bytes.

    `starts` says for each panel where its codes begin. What lies beyond `size` means nothing.
    """
    at = first + tl.arange(0, DEPTH * 16 * BITS // 8)
    held = tl.load(panels + starts[:, None] + at[None, :], mask=(at < size)[None, :], other=0)
    if BITS == 8:
        signed = held.to(tl.int8, bitcast=True).reshape(PANELS, DEPTH // 2, 16, 2)  # steps of two inputs
        codes = signed.permute(0, 2, 1, 3)
    else:
        both = tl.join(held & 15, held >> 4).to(tl.int8) - 8
        halves = both.reshape(PANELS, DEPTH // 4, 8, 4, 2)  # steps of four inputs, of outputs 0 to 7 and of 8 to 15
        codes = halves.permute(0, 4, 2, 1, 3)
    return codes.reshape(PANELS * 16, DEPTH)


@jit
def numbers_of(panels, starts, KIND: tl.constexpr, PANELS: tl.constexpr):
    """(16 PANELS,) scales or zeros in fp32; `starts` says for each panel at which byte they begin."""
    lanes = tl.arange(0, 16)[None, :]
    if KIND == 0:
        halves = panels.to(tl.pointer_type(tl.float16))
        numbers = tl.load(halves + starts[:, None] // 2 + lanes).to(tl.float32)
    elif KIND == 1:  # a bf16 is the upper half of an fp32
        uppers = panels.to(tl.pointer_type(tl.uint16))
        upper = tl.load(uppers + starts[:, None] // 2 + lanes)
        numbers = (upper.to(tl.uint32) << 16).to(tl.float32, bitcast=True)
    else:
        floats = panels.to(tl.pointer_type(tl.float32))
        numbers = tl.load(floats + starts[:, None] // 4 + lanes)
    return numbers.reshape(PANELS * 16)


@jit
def scaled(
    part, sums, panels, starts, KIND: tl.constexpr, ZEROS: tl.constexpr, BITS: tl.constexpr, PANELS: tl.constexpr
):
    """Products of codes, (outputs, rows), made products of weights: scale times them, less what the zeros take off.

    A weight is scale * (code - zero), and the codes have lost their middle: scale * (zero - middle) times the `sums` of
    the activations, (rows,), is too much. `starts` says for each panel at which byte the numbers of its group begin.
    """
    scales = numbers_of(panels, starts, KIND, PANELS)
    part = part * scales[:, None]
    if ZEROS:
        after: tl.constexpr = 64 if KIND == 2 else 32  # bytes of 16 scales
        zeros = numbers_of(panels, starts + after, KIND, PANELS)
        part -= (scales * (zeros - (1 << (BITS - 1))))[:, None] * sums[None, :]
    return part
