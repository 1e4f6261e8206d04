"""Mixture of experts: how tokens find their experts, what keeps those in use, and what it costs in time and memory.

What is where: `routing` from logits to experts, `layer` a layer with everything that training may want, `bias`
balancing without a loss; `load` how evenly experts are used and what a capacity would drop; `choices` where a model's
tokens went, `specialisation` which expert speaks which domain, against shuffled labels; `offload` experts on disk or
in host memory behind an `expert_cache`; `costs` the formulas of the batching cliff; `planted` and `fitting` a task of
clusters and the training on it. What a decoder executes (dispatch) lives in `labkit.kernels`, the losses that balance a
training in `labkit.training.balance`.

Legend of shapes: `tokens` routed tokens, `experts` experts a layer, `chosen` experts a token goes to, `layers` layers
with experts, `domains` kinds of text. Entropy and information are in nats.
"""

from __future__ import annotations

from labkit.lazy import lazy_names

_MODULE_OF = {
    "RoutedMLP": "labkit.moe.layer",
    "Specialisation": "labkit.moe.specialisation",
    "experts_hit": "labkit.moe.costs",
    "hit_rates": "labkit.moe.expert_cache",
    "moved_bias": "labkit.moe.bias",
    "route": "labkit.moe.routing",
}

__all__ = sorted(_MODULE_OF)
__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
