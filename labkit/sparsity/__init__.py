"""Sparsity: which weights and activations can go, what that saves in bytes, what in time, and how far apart those are.

What is where: `scores` what a weight is worth, `masks` who competes with whom, `sparsegpt` error compensation,
`methods` all of them as one kind of function and the walk that prunes a decoder; `budgets` and `sensitivity` how
densities are shared out, `schedule` pruning while training; `importance` and `structured` whole heads, channels and
layers, `groups` what must go together, `convnet` and `digits` the same for convolutions; `activations` inputs that are
small enough to skip; `layers` and `files` formats in memory and on disk, `costs` where each of them loses, `skills`
what a pruned model forgets first.
The formats and their operators live in `labkit.kernels`, captured inputs and outlier injection in `labkit.models`.

Density is the share that is kept, sparsity the rest. Legend of shapes: `out` and `in` features of a linear layer,
`hidden` features of the residual stream, `inner` channels of an MLP, `kv_heads` heads of keys and values.
"""

from __future__ import annotations

from labkit.lazy import lazy_names

_MODULE_OF = {
    "CsrLinear": "labkit.sparsity.layers",
    "SkippingLinear": "labkit.sparsity.layers",
    "Sparse24Linear": "labkit.sparsity.layers",
    "global_masks": "labkit.sparsity.budgets",
    "keep_in_layer": "labkit.sparsity.masks",
    "keep_in_rows": "labkit.sparsity.masks",
    "keep_n_of_m": "labkit.sparsity.masks",
    "layer_densities": "labkit.sparsity.budgets",
    "magnitude_mask": "labkit.sparsity.scores",
    "prune": "labkit.sparsity.methods",
    "sensitivity_scan": "labkit.sparsity.sensitivity",
    "wanda_mask": "labkit.sparsity.scores",
    "which_skill_dies_first": "labkit.sparsity.skills",
}

__all__ = sorted(_MODULE_OF)
__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
