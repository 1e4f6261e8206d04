"""What lab 05 teaches is what this room does: each oracle of the lab against the code that the lab measures."""

import numpy as np
import pytest
import torch

from labkit.course.catalogue import load_checks
from labkit.kernels.csr_linear import pack_csr
from labkit.kernels.sparse_24 import pack_24
from labkit.sparsity.convnet import ConvNet, multiplications
from labkit.sparsity.costs import active_share
from labkit.sparsity.masks import keep_largest, keep_n_of_m
from labkit.sparsity.schedule import cubic_density
from labkit.sparsity.scores import wanda_scores
from labkit.sparsity.sparsegpt import sparsegpt


def _cases(name):
    exercise = load_checks("05").exercises[name]
    for case in exercise.cases(np.random.default_rng(5)):
        yield case, exercise.judge.oracle(**case.arguments)


def test_masks():
    for case, expected in _cases("magnitude_mask"):
        weight = case["weight"]
        assert torch.equal(keep_largest(weight.abs().flatten(), case["count"]).view(weight.shape), expected)
    for case, expected in _cases("wanda_mask"):
        scores = wanda_scores(case["weight"].double(), case["inputs"].double().norm(dim=0))
        assert torch.equal(keep_largest(scores, case["kept"]), expected)
    for case, expected in _cases("two_four_mask"):
        assert torch.equal(keep_n_of_m(case["weight"].abs(), 2, 4), expected)


def test_packing():
    for case, (values, places) in _cases("pack_24"):
        packed = pack_24(case["weight"])
        assert torch.equal(packed.values, values)
        assert torch.equal(packed.places, places)


def test_a_dropped_weight_is_a_step_of_sparsegpt():
    """SparseGPT looks ahead only: it agrees where the cheapest weight stands first, so it is put there."""
    agreed = 0
    for case, (gone, moved) in _cases("drop_one"):
        order = [gone, *(j for j in range(len(moved)) if j != gone)]
        hessian = case["hessian"][order][:, order]
        pruned, _ = sparsegpt(case["weights"][order][None], hessian, (len(order) - 1) / len(order), damping=0.0)
        if pruned[0, 0] == 0:
            torch.testing.assert_close(pruned[0], moved[order], atol=1e-9, rtol=1e-9)
            agreed += 1
    assert agreed >= 3


def test_formulas():
    for case, expected in _cases("cubic_density"):
        assert cubic_density(case["step"], case["begin"], case["steps"], case["final"]) == pytest.approx(expected)
    for case, expected in _cases("needed_share"):
        assert active_share(case["density"], case["rows"]) == pytest.approx(expected)
    for case, expected in _cases("chain_macs"):
        if case["widths"] == [1, 64, 128, 128]:
            network = ConvNet(case["widths"][1:])
            behind_pooling = 16 * 9 * 128 * 128
            assert multiplications(network) == expected - 3 * behind_pooling + 128 * 10


def test_the_crossover_is_where_a_real_matrix_takes_as_many_bytes():
    for case, expected in _cases("crossover_density"):
        rows, columns = case["rows"], case["columns"]
        if (case["value_bytes"], case["index_bytes"]) == (4, 4) and 10_000 < rows * columns < 1_000_000:
            weight = torch.zeros(rows * columns)
            weight[: round(expected * rows * columns)] = 1.0
            packed = pack_csr(weight.view(rows, columns))
            assert packed.nbytes == pytest.approx(4 * rows * columns, rel=1e-3)
