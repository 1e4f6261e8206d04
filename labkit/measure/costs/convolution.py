"""Convolutions: every weight meets every position once, so FLOPs = 2 N (positions) (weights).

A weight of shape (C_out, C_in / groups, *kernel) already holds the effect of groups; stride, padding and dilation act
through the number of output positions (input positions if transposed). Products with padding zeros are counted, as
everywhere. Each gradient costs as much as the forward pass; `torch.utils.flop_counter` forgets the groups in the
gradient of the weight and counts it `groups` times too high.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from labkit.measure.costs.cost import Cost, Rule
from labkit.measure.costs.spec import Packed, TensorSpec


def convolution(
    x: TensorSpec,
    weight: TensorSpec,
    bias: TensorSpec | None = None,
    stride: object = None,
    padding: object = None,
    dilation: object = None,
    transposed: bool = False,
    *_: object,
    out: TensorSpec,
    **__: object,
) -> Cost:
    """`aten::convolution`.

    >>> import torch
    >>> spec = lambda *shape: TensorSpec(shape, (1,) * len(shape), torch.float32, 4, 0)
    >>> convolution(spec(1, 4, 8, 8), spec(6, 2, 3, 3), out=spec(1, 6, 6, 6)).flops  # groups = 2
    7776
    """
    return Cost(_flops(x if transposed else out, weight))


def direct(x: TensorSpec, weight: TensorSpec, *_: object, out: TensorSpec, **__: object) -> Cost:
    """The kernels that are never transposed (`cudnn`, `mkldnn`, depthwise, dilated)."""
    return Cost(_flops(out, weight))


def transposed(x: TensorSpec, weight: TensorSpec, *_: object, out: TensorSpec, **__: object) -> Cost:
    return Cost(_flops(x, weight))


def quantized(x: TensorSpec, scale: object, zero: object, weight: TensorSpec, *_: object, out: TensorSpec) -> Cost:
    """`onednn::qconv_pointwise`."""
    return Cost(_flops(out, weight), dtype="int8")


def prepacked(x: TensorSpec, packed: Packed, *_: object, out: TensorSpec) -> Cost:
    """`quantized::conv2d` and its like, whose weight stands in an opaque object."""
    return Cost(_flops(out, packed.tensors[0]), dtype="int8")


def backward(
    grad: TensorSpec,
    x: TensorSpec,
    weight: TensorSpec,
    bias_sizes: object,
    stride: object,
    padding: object,
    dilation: object,
    is_transposed: bool,
    output_padding: object,
    groups: int,
    output_mask: Sequence[bool],
    **_: object,
) -> Cost:
    """`aten::convolution_backward`: one forward's worth for the gradient of the input, one for that of the weight."""
    gradients = int(output_mask[0]) + int(output_mask[1])
    read = [grad, x if output_mask[1] else None, weight if output_mask[0] else None]
    return Cost(gradients * _flops(x if is_transposed else grad, weight), reads=read)


def _flops(positions: TensorSpec, weight: TensorSpec) -> int:
    return 2 * positions.shape[0] * prod(positions.shape[2:]) * weight.numel


RULES: dict[str, Rule] = {
    **dict.fromkeys(
        ("aten::convolution", "aten::_convolution", "aten::convolution_overrideable"),
        convolution,
    ),
    **dict.fromkeys(
        (
            "aten::cudnn_convolution",
            "aten::cudnn_convolution_relu",
            "aten::mkldnn_convolution",
            "aten::_slow_conv2d_forward",
            "aten::slow_conv3d_forward",
            "aten::slow_conv_dilated2d",
            "aten::slow_conv_dilated3d",
            "aten::_conv_depthwise2d",
            "aten::conv_depthwise3d",
            "aten::_mps_convolution",
            "mkldnn::_convolution_pointwise",
        ),
        direct,
    ),
    **dict.fromkeys(
        ("aten::cudnn_convolution_transpose", "aten::slow_conv_transpose2d", "aten::slow_conv_transpose3d"),
        transposed,
    ),
    "aten::convolution_backward": backward,
    "onednn::qconv_pointwise": quantized,
    **dict.fromkeys([f"quantized::conv{n}d{relu}" for n in (1, 2, 3) for relu in ("", "_relu")], prepacked),
}
