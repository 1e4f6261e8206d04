"""The best spending against every spending there is, and sensitivities against a model quantized by hand."""

import copy
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.evaluation.divergence import kl_divergence
from labkit.kernels.weight_format import WeightFormat
from labkit.models.config import DecoderConfig
from labkit.models.decoder import Decoder
from labkit.models.walk import linears, weight_of
from labkit.quantization.bit_budget import best_spending
from labkit.quantization.quantizing import ROLES, quantize_model
from labkit.quantization.rounding import round_to_nearest
from labkit.quantization.sensitivity import sensitivities


@st.composite
def tables(draw):
    layers = draw(st.lists(st.integers(1, 4), min_size=1, max_size=6))
    loss = st.integers(0, 50).map(lambda n: n / 8)  # sums of eighths are exact, so that ties are ties
    losses = [[draw(loss) for _ in range(formats)] for formats in layers]
    nbytes = [[draw(st.integers(0, 12)) for _ in range(formats)] for formats in layers]
    least, most = (sum(pick(sizes) for sizes in nbytes) for pick in (min, max))
    return losses, nbytes, draw(st.integers(least, most + 3))


@given(table=tables())
@settings(deadline=None, max_examples=200)
def test_no_other_choice_within_the_budget_is_better(table):
    losses, nbytes, budget = table
    every = itertools.product(*(range(len(layer)) for layer in losses))
    summed = [
        (sum(loss[c] for loss, c in zip(losses, choice, strict=True)),
         sum(size[c] for size, c in zip(nbytes, choice, strict=True)))
        for choice in every
    ]  # fmt: skip
    best = min(entry for entry in summed if entry[1] <= budget)
    got = best_spending(losses, nbytes, budget)
    assert (got.loss, got.nbytes) == best
    assert got.loss == sum(loss[c] for loss, c in zip(losses, got.choices, strict=True))
    assert got.nbytes == sum(size[c] for size, c in zip(nbytes, got.choices, strict=True))


def test_the_layers_of_a_model_are_quick():
    formats = [WeightFormat(bits, 32) for bits in (2, 3, 4, 8)]
    shapes = [(512, 512), (256, 512), (256, 512), (512, 512), (1408, 512), (1408, 512), (512, 1408)] * 12
    nbytes = [[fmt.nbytes(*shape) for fmt in formats] for shape in shapes]
    generator = torch.Generator().manual_seed(0)
    losses = [sorted(torch.rand(4, generator=generator).tolist(), reverse=True) for _ in shapes]
    four_bits = sum(sizes[2] for sizes in nbytes)
    got = best_spending(losses, nbytes, four_bits)
    assert got.nbytes <= four_bits
    assert got.loss < sum(loss[2] for loss in losses)


@pytest.mark.parametrize(
    ("losses", "nbytes", "budget", "message"),
    [
        ([[1.0], [2.0]], [[10], [20]], 29, "already take 30 bytes, and the budget is 29"),
        ([[1.0, 2.0]], [[10]], 50, "as many losses as sizes"),
        ([[]], [[]], 50, "at least one"),
        ([[float("nan")]], [[10]], 50, "NaN or infinite"),
    ],
)
def test_a_budget_that_cannot_be_kept_is_refused(losses, nbytes, budget, message):
    with pytest.raises(ValueError, match=message):
        best_spending(losses, nbytes, budget)


@torch.no_grad()
def test_a_sensitivity_is_the_divergence_of_that_one_change(model, tokens):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    sites, formats = linears(model)[2:-1], [WeightFormat(2), WeightFormat(8)]
    got = sensitivities(model, tokens, sites, formats)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert (got > 0).all()
    assert got[:, 0].sum() > 20 * got[:, 1].sum()
    for row, site in list(enumerate(sites))[::5]:
        changed = copy.deepcopy(model)
        weight_of(changed, site).copy_(round_to_nearest(weight_of(model, site), formats[0]).dequantize())
        p, q = (m(tokens).double().log_softmax(-1) for m in (model, changed))
        assert got[row, 0].item() == pytest.approx((p.exp() * (p - q)).sum(-1).mean().item(), rel=1e-3, abs=1e-6)


@torch.no_grad()
def test_what_was_planned_is_what_is_stored_and_beats_the_same_bits_for_all(tokens):
    torch.manual_seed(0)
    model = Decoder(DecoderConfig("llama", 64, 32, 48, 2, 4, 2, 8, 1e-6, 64)).eval()
    for site in linears(model, ("v", "down")):
        weight_of(model, site).mul_(6)  # layers that matter more than others
    sites, formats = linears(model, ROLES), [WeightFormat(bits, 16) for bits in (2, 3, 4, 8)]
    nbytes = [[fmt.nbytes(*weight_of(model, site).shape) for fmt in formats] for site in sites]
    budget = sum(sizes[1] for sizes in nbytes)
    spending = best_spending(sensitivities(model, tokens, sites, formats).tolist(), nbytes, budget)
    exact = model(tokens)

    def divergence(choices):
        changed, chosen = copy.deepcopy(model), dict(zip((s.path for s in sites), choices, strict=True))
        packed = quantize_model(changed, [tokens], lambda site, w, _: round_to_nearest(w, formats[chosen[site.path]]))
        return kl_divergence(exact, changed(tokens)).mean(), sum(weight.nbytes for weight in packed.values())

    best, stored = divergence(spending.choices)
    uniform, three_bits = divergence([1] * len(sites))
    assert stored == spending.nbytes <= budget == three_bits
    assert best < 0.8 * uniform
