"""Recurrent layers that run as one fused kernel: every weight meets every time step of every sequence once.

`nn.LSTM`, `nn.GRU` and `nn.RNN` elsewhere dispatch ordinary matrix products and need no rule.
"""

from __future__ import annotations

from collections.abc import Sequence

from labkit.measure.costs.cost import Cost, Rule
from labkit.measure.costs.spec import TensorSpec


def onednn(x: TensorSpec, w_input: TensorSpec, w_hidden: TensorSpec, *_: object, **__: object) -> Cost:
    """`mkldnn_rnn_layer`: one layer in one direction."""
    return Cost(2 * _steps(x) * (w_input.numel + w_hidden.numel))


def onednn_backward(x: TensorSpec, w_input: TensorSpec, w_hidden: TensorSpec, *_: object, **__: object) -> Cost:
    return Cost(4 * _steps(x) * (w_input.numel + w_hidden.numel))


def cudnn(x: TensorSpec, weights: Sequence[TensorSpec], *_: object, **__: object) -> Cost:
    """`_cudnn_rnn`: the matrices of all layers and directions in one list, biases between them."""
    return Cost(2 * _steps(x) * sum(w.numel for w in weights if len(w.shape) == 2))


def _steps(x: TensorSpec) -> int:
    return x.numel // x.shape[-1]


RULES: dict[str, Rule] = {
    "aten::mkldnn_rnn_layer": onednn,
    "aten::mkldnn_rnn_layer_backward": onednn_backward,
    "aten::_cudnn_rnn": cudnn,
}
