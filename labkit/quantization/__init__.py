"""Quantization: what chooses the codes and scales of fewer bits, for weights, activations and the KV cache.

What is where, weights first: `rounding` the baseline, `gptq` errors made up for by later columns, `awq` scales searched
so that salient channels round finely, with `clipping` of each group's range and `protection` of a few columns in full
precision; `smoothing` difficulty moved from activations to weights, `hadamard` and `rotation` outliers spread over all
channels; `activations` int8 per token, `llm_int8` with the outlier columns kept apart; `kv_blocks` and `kv_cache` keys
per channel and values per token; `sensitivity` and `bit_budget` which layer gets which bits. `scaling` and `quantizing`
apply a choice to a whole model. Formats and packing, what a decoder executes, live in `labkit.kernels`.

Algorithms take tensors and return tensors; what rewrites a model before rounding leaves its function as it was.

Legend of shapes: `out` and `in` features of a linear, `groups` of a row that share a scale, `tokens` rows of inputs to
calibrate on, `sites` linear layers, `choices` formats to choose from, `kv_heads` heads of keys and values, `head`
features of one. Sizes are in bytes.
"""

from __future__ import annotations

from labkit.lazy import lazy_names

_MODULE_OF = {
    "QuantizedKVCache": "labkit.quantization.kv_cache",
    "awq_scales": "labkit.quantization.awq",
    "best_spending": "labkit.quantization.bit_budget",
    "hessian_of": "labkit.quantization.gptq",
    "llm_int8_linear": "labkit.quantization.llm_int8",
    "protect": "labkit.quantization.protection",
    "quantize_model": "labkit.quantization.quantizing",
    "quantize_tokens": "labkit.quantization.activations",
    "random_hadamard": "labkit.quantization.hadamard",
    "round_to_nearest": "labkit.quantization.rounding",
    "salient_channels": "labkit.quantization.protection",
    "scale_channels": "labkit.quantization.scaling",
    "searched_clip": "labkit.quantization.clipping",
    "sensitivities": "labkit.quantization.sensitivity",
    "smoothing_scales": "labkit.quantization.smoothing",
    "w8a8_linear": "labkit.quantization.activations",
}

__all__ = sorted(_MODULE_OF)
__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
