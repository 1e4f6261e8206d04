"""The planted task follows its rules, and a mixture gets further on it than one dense layer of the same arithmetic."""

import pytest
import torch

from labkit.models.config import MoeConfig
from labkit.models.decoder import MLP
from labkit.moe.fitting import fit
from labkit.moe.layer import RoutedMLP
from labkit.moe.load import max_violation
from labkit.moe.planted import planted


def test_answers_follow_the_rule_of_their_cluster_and_clusters_their_shares():
    task = planted(clusters=4, hidden=8, skew=1.0)
    x, y, cluster = task.draw(20_000, torch.Generator().manual_seed(0))
    for c in range(4):
        torch.testing.assert_close(y[cluster == c], x[cluster == c] @ task.rules[c].T, atol=1e-4, rtol=1e-4)
    drawn = torch.bincount(cluster, minlength=4) / 20_000
    torch.testing.assert_close(drawn, task.shares, atol=0.02, rtol=0)
    torch.testing.assert_close(y.norm(dim=1), x.norm(dim=1), atol=1e-4, rtol=1e-4)  # rules only turn


def test_the_same_seed_gives_every_layer_the_same_examples():
    task = planted()
    first, second = (task.draw(5, torch.Generator().manual_seed(3))[0] for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.slow
def test_experts_beat_a_dense_layer_of_the_same_arithmetic_and_too_much_balance_undoes_it():
    task, moe = planted(), MoeConfig(8, 2, 16, True, (0,))
    torch.manual_seed(0)
    dense = fit(MLP(32, 32), task)
    free = fit(RoutedMLP(32, moe), task)
    forced = fit(RoutedMLP(32, moe), task, balance_weight=10.0)
    biased = fit(RoutedMLP(32, moe), task, bias_rate=0.01)
    assert free.error < 0.9 * dense.error
    assert forced.error > 1.15 * free.error
    assert max_violation(forced.indices, 8) < max_violation(free.indices, 8)
    assert max_violation(biased.indices, 8) < max_violation(free.indices, 8)
    assert dense.indices is None
    assert free.curve[-1] < free.curve[0]
