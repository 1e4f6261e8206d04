"""Kernels in Triton: the GPU's turn at an operator whose reference and whose C code stand one floor up.

A kernel here is Python that Triton compiles for the GPU at hand when it is first launched. It can be read, run and
checked without one: with `TRITON_INTERPRET=1` set before the first import, the same source runs on the CPU, slowly and
in numpy (`tests/kernels/interpreted.py`); `ahead_of_time` compiles it for a GPU that is elsewhere.

The interpreter is not to be trusted with bf16: it keeps such numbers as whole numbers of 16 bits and multiplies those.

Nothing here is imported before a tensor on a GPU meets an operator (`running`), and every module can be imported where
there is no triton (`language`).
"""
