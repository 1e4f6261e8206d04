"""Work for a second Python in which Triton interprets its kernels: that is decided before its first import."""

import os
import warnings
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

import torch
from torch.utils._python_dispatch import TorchDispatchMode


@contextmanager
def interpreter():
    """A pool of one process: `submit(function, ...)` runs a function of this file, or of labkit, in it."""
    before = os.environ.get("TRITON_INTERPRET")
    os.environ["TRITON_INTERPRET"] = "1"
    try:
        with ProcessPoolExecutor(1, get_context("spawn"), initializer=_prepare) as pool:
            pool.submit(torch.get_num_threads).result()  # started, so its environment is what it is
            yield pool
    finally:
        os.environ.pop("TRITON_INTERPRET")
        if before is not None:
            os.environ["TRITON_INTERPRET"] = before


def _prepare():
    torch.set_num_threads(1)
    # numpy's, for infinity and for divisions whose result a kernel does not use.
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="triton")


class AsOnGPU(TorchDispatchMode):
    """Operators of labkit as they are registered for CUDA, on tensors of the CPU."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace == "labkit":
            return func.redispatch(torch._C.DispatchKeySet(torch._C.DispatchKey.CUDA), *args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def by_operator(x, weight, *rest):
    """`quantized_linear` as it runs on a GPU."""
    from labkit.kernels.quantized_linear import quantized_linear

    with AsOnGPU():
        return quantized_linear(x, weight, *rest)


def logits(folder, tokens, quantization):
    """Of the model in `folder` as its quantized layers run on a GPU, and how often such a kernel was launched."""
    import labkit as lk
    from labkit.kernels.triton import quantized_linear as kernels

    launches = []
    kernels.linear_kernel.add_pre_run_hook(lambda *_, **__: launches.append(1))
    model = lk.load(folder, quantization=quantization, dtype="float32", device="cpu").model
    with AsOnGPU(), torch.no_grad():
        found = model(tokens)
    return found, len(launches)
