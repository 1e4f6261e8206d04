"""Mixture of experts: how the load is measured, and what experts come to be for.

What is where: `load` how evenly experts are used and what a capacity would drop; `specialisation` which expert speaks
which domain, against shuffled labels. What a decoder executes (dispatch) lives in `labkit.kernels`, the losses that
balance a training in `labkit.training.balance`.

Legend of shapes: `tokens` routed tokens, `experts` experts a layer, `chosen` experts a token goes to, `layers` layers
with experts, `domains` kinds of text. Entropy and information are in nats.
"""

from __future__ import annotations

from labkit.lazy import lazy_names

_MODULE_OF = {
    "Specialisation": "labkit.moe.specialisation",
    "specialisation": "labkit.moe.specialisation",
}

__all__ = sorted(_MODULE_OF)
__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
