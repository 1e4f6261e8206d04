"""AWQ on a layer with injected outliers: collapse at 3 bits, rescue by salience, the control, the search."""

import math

import pytest
import torch

from labkit.kernels.weight_format import WeightFormat
from labkit.quantization.awq import STEPS, awq_scales, scales_at
from labkit.quantization.clipping import searched_clip
from labkit.quantization.output_error import output_error
from labkit.quantization.protection import protect, salient_channels
from labkit.quantization.rounding import round_to_nearest

OUTLIERS = torch.tensor([5, 40, 41, 77, 100, 126])
THREE_BITS = WeightFormat(3)  # one scale a row


@pytest.fixture
def layer():
    """A layer in which `OUTLIERS` carry more than others, and the same after x30 and /30 as in `models.outliers`."""
    torch.manual_seed(0)
    weight, x = torch.randn(64, 128), torch.randn(256, 128)
    x[:, OUTLIERS] *= 3
    scale = torch.ones(128).index_fill(0, OUTLIERS, 30)
    return weight / scale, x * scale


def relative_error(weight, x, other):
    return ((x @ (other - weight).T).norm() / (x @ weight.T).norm()).item()


def rounded_with(scales, weight, fmt, clip=1.0):
    return round_to_nearest(weight * scales, fmt, clip).dequantize() / scales


def test_the_arc_of_the_papers_table(layer):
    weight, x = layer
    salient = salient_channels(x, len(OUTLIERS))
    assert torch.equal(salient, OUTLIERS)
    ordinary = torch.ones(128).index_fill(0, OUTLIERS, 0).nonzero().flatten()
    random = ordinary[torch.randperm(len(ordinary))[: len(OUTLIERS)]]

    collapse = relative_error(weight, x, round_to_nearest(weight, THREE_BITS).dequantize())
    rescue, control = (
        relative_error(weight, x, protect(weight, c, THREE_BITS).dequantize()) for c in (salient, random)
    )
    searched = relative_error(weight, x, rounded_with(awq_scales([weight], x, THREE_BITS), weight, THREE_BITS))
    assert collapse > 2 * rescue
    assert control > 0.95 * collapse
    assert searched < 1.25 * rescue


def test_without_outliers_there_is_no_collapse_to_repair(layer):
    weight, x = layer
    scale = torch.ones(128).index_fill(0, OUTLIERS, 30)
    weight, x = weight * scale, x / scale
    plain = relative_error(weight, x, round_to_nearest(weight, THREE_BITS).dequantize())
    kept = relative_error(weight, x, protect(weight, OUTLIERS, THREE_BITS).dequantize())
    assert kept > 0.7 * plain


@pytest.mark.parametrize(
    "fmt", [WeightFormat(3), WeightFormat(4, 32, False), WeightFormat(2, 64), WeightFormat(4, 64, code="nf4")]
)
def test_no_exponent_of_the_grid_is_better(layer, fmt):
    weight, x = layer
    weights = [weight[:40], weight[40:]]
    moment = x.T @ x

    def error(scales):
        return sum(output_error(w, rounded_with(scales, w, fmt), moment).item() for w in weights)

    found = awq_scales(weights, x, fmt)
    grid = [error(scales_at(x.abs().mean(dim=0), step / STEPS)) for step in range(STEPS)]
    assert error(found) == pytest.approx(min(grid))
    assert error(found) <= error(torch.ones(128))


def test_the_error_is_that_of_the_outputs(layer):
    weight, x = layer
    other = round_to_nearest(weight, THREE_BITS).dequantize()
    expected = ((x.double() @ (weight - other).double().T) ** 2).sum().item()
    assert output_error(weight, other, x.T @ x).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("fmt", [WeightFormat(2, 32), WeightFormat(3, 32, False)])
def test_the_clip_found_is_the_best_of_the_grid_group_by_group(layer, fmt):
    weight, x = layer
    clip = searched_clip(weight, x, fmt)
    assert clip.shape == (64, 4)
    for o, g in [(0, 0), (3, 1), (63, 3)]:
        part = slice(32 * g, 32 * (g + 1))
        row, seen = weight[o : o + 1, part], x[:, part].double()

        def error(share, row=row, seen=seen):
            difference = round_to_nearest(row, fmt, share).dequantize() - row
            return ((seen @ difference.double().T) ** 2).sum().item()

        assert error(clip[o, g].item()) <= min(error(1 - 0.5 * step / 20) for step in range(20)) * (1 + 1e-4)
    assert (clip < 1).any()
    moment = x.T @ x
    clipped, whole = (output_error(weight, round_to_nearest(weight, fmt, c).dequantize(), moment) for c in (clip, 1.0))
    assert clipped < whole


def test_what_is_protected_is_stored_and_counted(layer):
    weight, _ = layer
    got = protect(weight, OUTLIERS, WeightFormat(3))
    assert got.nbytes == 64 * (128 * 3 // 8 + 2) + 64 * 6 * 2 + 6 * 8
    assert torch.equal(got.dequantize()[:, OUTLIERS], weight[:, OUTLIERS].half().float())
    with pytest.raises(ValueError, match="fp16 cannot hold"):
        protect(weight * 1e7, OUTLIERS, WeightFormat(3, scale_dtype=torch.float32))


@pytest.mark.parametrize(
    "search", [lambda w, x: awq_scales([w], x, THREE_BITS), lambda w, x: searched_clip(w, x, THREE_BITS)]
)
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.randn(1, 8), "Calibration on 1 token"),
        (torch.randn(5, 7), r"\(tokens, 8\).*got \(5, 7\)"),
        (torch.full((5, 8), math.inf), "inputs hold NaN or infinity"),
    ],
)
def test_calibration_that_makes_no_sense_is_refused(search, x, message):
    with pytest.raises(ValueError, match=message):
        search(torch.randn(4, 8), x)
