"""Two messages of bitsandbytes that no learner can act on are dropped, and no other.

An int8 layer warns at every call about a cast that it makes itself. On a processor with AVX512-bf16 its import warns
that a kernel could not be fetched from a hub; that kernel is for weights repacked in a way that our layers never are
(see `labkit.models.quantized`).
"""

from __future__ import annotations

import logging

_DROPPED = {
    "bitsandbytes.autograd._functions": "MatMul8bitLt: inputs will be cast",
    "bitsandbytes.backends.cpu.ops": "Failed to load CPU gemm_4bit_forward from kernels-community",
}


class _Drop(logging.Filter):
    def __init__(self, beginning: str) -> None:
        super().__init__()
        self.beginning = beginning

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(self.beginning)


def quieten() -> None:
    """Has to be called before bitsandbytes is imported."""
    for name, beginning in _DROPPED.items():
        logging.getLogger(name).addFilter(_Drop(beginning))
