"""Budgets against brute force, the scan against pruning by hand, and a model that comes back bit for bit."""

import itertools
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.models.walk import linears, weight_of
from labkit.sparsity.budgets import global_masks, layer_densities
from labkit.sparsity.masks import kept_count
from labkit.sparsity.scores import magnitude_mask
from labkit.sparsity.sensitivity import sensitivity_scan


@given(sizes=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 8)), min_size=1, max_size=4), density=st.floats(0, 1))
def test_one_contest_keeps_the_best_of_all(sizes, density):
    generator = torch.Generator().manual_seed(0)
    scores = {str(n): torch.rand(shape, generator=generator) for n, shape in enumerate(sizes)}
    masks = global_masks(scores, density)
    kept = torch.cat([scores[n][masks[n]] for n in scores])
    gone = torch.cat([scores[n][~masks[n]] for n in scores])
    assert len(kept) == kept_count(len(kept) + len(gone), density)
    if len(kept) and len(gone):
        assert kept.min() >= gone.max()
    assert all(masks[n].shape == scores[n].shape for n in scores)


def test_a_contest_of_nobody_is_refused():
    with pytest.raises(ValueError, match="at least one layer"):
        global_masks({}, 0.5)


@settings(deadline=None, max_examples=60)
@given(
    curves=st.lists(st.lists(st.floats(0.01, 5), min_size=3, max_size=3), min_size=2, max_size=4),
    budget=st.sampled_from([0.25, 0.4, 0.5, 0.75, 1.0]),
)
def test_no_cheaper_choice_keeps_as_little(curves, budget):
    """Convex curves (each step costs more than the one before): what greedy reaches is the least for what it keeps."""
    densities = (1.0, 0.75, 0.5, 0.25)
    damage = {}
    for n, steps in enumerate(curves):
        rising = itertools.accumulate(sorted(steps))
        damage[str(n)] = dict(zip(densities, [0.0, *rising], strict=True))
    sizes = dict.fromkeys(damage, 100)
    found = layer_densities(damage, sizes, budget)
    kept = sum(found.values())
    assert kept <= budget * len(damage) + 1e-9
    cost = sum(damage[n][d] for n, d in found.items())
    for choice in itertools.product(densities, repeat=len(damage)):
        if sum(choice) <= kept + 1e-9:
            assert cost <= sum(damage[str(n)][d] for n, d in enumerate(choice)) + 1e-9


def test_a_larger_layer_pays_for_more():
    damage = {"large": {1.0: 0.0, 0.5: 1.0}, "small": {1.0: 0.0, 0.5: 0.5}}
    assert layer_densities(damage, {"large": 900, "small": 100}, 0.6) == {"large": 0.5, "small": 1.0}


def test_a_budget_below_what_was_scanned_is_refused():
    with pytest.raises(ValueError, match=r"keep more than 0\.3"):
        layer_densities({"only": {1.0: 0.0, 0.5: 1.0}}, {"only": 8}, 0.3)


@torch.no_grad()
def test_the_scan_is_pruning_one_layer_at_a_time(decoder):
    model, tokens = decoder(), torch.randint(0, 64, (2, 12))
    before = {name: t.clone() for name, t in model.state_dict().items()}
    sites = linears(model, ("q", "down"))

    def loss(m):
        return float(m(tokens).logsumexp(-1).mean())

    found = sensitivity_scan(model, sites, [0.5, 0.25], lambda _, w, d: magnitude_mask(w, d), loss)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())
    by_hand = decoder()
    weight = weight_of(by_hand, sites[1])
    weight.mul_(magnitude_mask(weight, 0.25))
    assert found.damage[sites[1].path][0.25] == pytest.approx(loss(by_hand) - found.loss, abs=1e-6)
    assert found.sizes[sites[1].path] == weight.numel()
    assert list(found.damage) == [s.path for s in sites]
    assert found.ranked(0.25)[0] == max(found.damage, key=lambda path: found.damage[path][0.25])
    assert "added loss at density 0.25" in str(found)
    assert json.loads(found.to_json())["loss"] == found.loss
    chosen = layer_densities(found.damage, found.sizes, 0.6)
    assert set(chosen) == set(found.damage)


def test_the_model_comes_back_even_if_the_loss_fails(decoder):
    model = decoder()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    calls = iter([0.0])
    with pytest.raises(StopIteration):
        sensitivity_scan(model, linears(model), [0.5], lambda _, w, d: magnitude_mask(w, d), lambda _: next(calls))
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


def test_nothing_to_scan_is_refused(decoder):
    with pytest.raises(ValueError, match="at least one layer and one density"):
        sensitivity_scan(decoder(), [], [0.5], lambda *_: None, lambda _: 0.0)
