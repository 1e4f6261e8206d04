"""The cubic schedule against its formula, and training that never brings a pruned weight back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from labkit.sparsity.masks import density_of, kept_count
from labkit.sparsity.schedule import cubic_density, prune_gradually


@given(step=st.integers(0, 300), begin=st.integers(0, 50), steps=st.integers(1, 200), final=st.floats(0, 0.9))
def test_the_formula_of_zhu_and_gupta_in_sparsities(step, begin, steps, final):
    target = 1 - final
    if step < begin:
        sparsity = 0.0
    elif step >= begin + steps:
        sparsity = target
    else:
        sparsity = target + (0 - target) * (1 - (step - begin) / steps) ** 3
    assert cubic_density(step, begin, steps, final) == pytest.approx(1 - sparsity, abs=1e-9)


@pytest.mark.parametrize(("steps", "final", "initial"), [(0, 0.5, 1.0), (5, 0.9, 0.5), (5, -0.1, 1.0), (5, 0.5, 1.5)])
def test_bad_schedules(steps, final, initial):
    with pytest.raises(ValueError, match=r"at least one step|Densities fall"):
        cubic_density(0, 0, steps, final, initial)


def _regression(seed=0):
    """Sixteen inputs of which four matter."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(256, 16, generator=generator)
    truth = torch.zeros(16, 4)
    truth[:4] = 1 + torch.rand(4, 4, generator=generator)
    return x, x @ truth


def test_gradual_pruning_ends_on_the_density_and_finds_what_matters():
    x, y = _regression()
    torch.manual_seed(0)
    net = nn.Linear(16, 4, bias=False)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.03)
    seen = []

    def step(_):
        optimiser.zero_grad()
        nn.functional.mse_loss(net(x), y).backward()
        optimiser.step()
        seen.append((net.weight.detach() != 0).float().mean().item())

    masks = prune_gradually(
        {"net": net.weight}, step, lambda n: cubic_density(n, 20, 100, final=0.25), steps=200, every=10
    )
    assert masks["net"].sum() == kept_count(64, 0.25) == 16
    assert torch.equal(net.weight != 0, masks["net"])
    assert masks["net"][:, :4].all(), "the four inputs that matter keep all their weights"
    assert nn.functional.mse_loss(net(x), y) < 1e-3


def test_a_pruned_weight_never_comes_back():
    weight = nn.Parameter(torch.arange(1.0, 17.0).view(4, 4))
    history = []

    def step(_):
        with torch.no_grad():
            weight.add_(100.0 * torch.rand(4, 4, generator=torch.Generator().manual_seed(0)))

    def density(n):
        history.append(n)
        return cubic_density(n, 0, 8, final=0.25)

    previous = torch.ones(4, 4, dtype=torch.bool)
    for steps in (2, 4, 6, 8):
        weight.data = torch.arange(1.0, 17.0).view(4, 4)
        mask = prune_gradually({"w": weight}, step, density, steps=steps, every=2)["w"]
        assert (mask <= previous).all()
        assert density_of(mask) == kept_count(16, cubic_density(steps, 0, 8, 0.25)) / 16
        previous = mask
    assert 1 not in history, "masks change every second step only"
