"""Hadamard matrices by their definition, and rotations by what they must keep and what they must flatten."""

import pytest
import torch

from labkit.quantization.hadamard import hadamard, random_hadamard, random_rotation

ORDERS = [1, 2, 4, 8, 12, 16, 20, 24, 32, 40, 44, 48, 64, 96, 128, 192, 384]


@pytest.mark.parametrize("n", ORDERS)
def test_entries_are_plus_or_minus_one_and_rows_are_orthogonal(n):
    matrix = hadamard(n)
    assert set(matrix.unique().tolist()) <= {1.0, -1.0}
    assert torch.equal(matrix @ matrix.T, n * torch.eye(n))


@pytest.mark.parametrize("n", [0, -4, 3, 6, 10, 28, 14])
def test_an_order_out_of_reach_is_refused(n):
    with pytest.raises(ValueError, match="No Hadamard matrix"):
        hadamard(n)


@pytest.mark.parametrize(("rotation", "n"), [(random_hadamard, 96), (random_hadamard, 64), (random_rotation, 37)])
def test_a_rotation_keeps_every_product(rotation, n):
    turn = rotation(n, torch.Generator().manual_seed(0))
    x, w = torch.randn(20, n), torch.randn(8, n)
    torch.testing.assert_close(turn @ turn.T, torch.eye(n), atol=1e-5, rtol=0)
    torch.testing.assert_close((x @ turn) @ (w @ turn).T, x @ w.T, atol=1e-4, rtol=1e-4)


def test_one_outlier_becomes_as_flat_as_can_be():
    spread = torch.eye(64)[[5]] * 100 @ random_hadamard(64, torch.Generator().manual_seed(0))
    torch.testing.assert_close(spread.abs(), torch.full((1, 64), 100 / 8))


def test_two_seeds_are_two_rotations():
    first, second = (random_hadamard(16, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert not torch.equal(first, second)
