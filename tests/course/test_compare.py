"""Comparing: the contract is the expected value's, the tolerance its dtype's, the sentence the learner's."""

import math

import numpy as np
import pytest
import torch

from labkit.course.compare import compare, tolerance

FLOATS = ["float16", "bfloat16", "float32", "float64"]


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_last_bit_passes_and_a_tenfold_tolerance_fails(dtype):
    dtype = getattr(torch, dtype)
    right = torch.linspace(1, 2, 7).to(dtype)
    eps = torch.finfo(dtype).eps
    assert not compare(right, (right.double() * (1 + eps)).to(dtype)).problem
    rtol, atol = tolerance(str(dtype).removeprefix("torch."))
    assert compare(right, (right.double() * (1 + 10 * (rtol + 2 * atol))).to(dtype)).problem


@pytest.mark.parametrize("dtype", FLOATS)
def test_eps_is_that_of_the_dtype(dtype):
    eps = torch.finfo(getattr(torch, dtype)).eps
    assert tolerance(dtype) == ((4 if "16" in dtype else 64) * eps, 8 * eps)


def test_a_sum_in_another_order_passes():
    rows = torch.randn(50, 4096, generator=torch.Generator().manual_seed(0))
    assert not compare(rows.sum(1), rows.flip(1).cumsum(1)[:, -1]).problem


@pytest.mark.parametrize(
    ("expected", "output", "told"),
    [
        (1.0, None, "None where a float"),
        (1.0, "1", "a string where a float"),
        (1.0, True, "a bool where a float"),
        (True, 1, "an int where a bool"),
        (3, 3.0, "a float where an int"),
        (1.0, math.nan, "NaN where 1.0"),
        (math.nan, 1.0, "1.0 where nan"),
        (math.inf, 1e308, "where inf"),
        (1.0, 1.0 + 1e-8, "where 1.0"),
        (0.0, 1e-11, "where 0.0"),
        ([1, 2], [1], "1 items where 2"),
        ([1, [2, 3]], [1, [2, 4]], "4 at [1][1] where 3"),
        ({"a": 1}, {}, "no key 'a'"),
        ({}, {"a": 1}, "has the key 'a'"),
        ({"a": 1}, {"a": 2}, "2 at ['a'] where 1"),
        ("yes", "no", "'no' where 'yes'"),
        (np.zeros(2), [0.0, 0.0], "a list of 2 items where a float64 numpy array"),
        (torch.zeros(2), np.zeros(2, np.float32), "a float32 numpy array of shape (2,) where a float32 torch tensor"),
        (torch.zeros(2, 1), torch.zeros(2), "shape is (2,) where (2, 1)"),
        (torch.zeros(2), torch.zeros(2).double(), "dtype is float64 where float32"),
        (np.zeros(2), np.zeros(2, int), "dtype is int64 where float64"),
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, math.nan]), "entry [1] is nan where 2.0"),
        (torch.tensor([1, 2, 3]), torch.tensor([1, 9, 9]), "entry [1] is 9 where 2 is expected (2 of 3"),
        ([np.zeros(2)], [np.ones(2)], "entry [0][0] is 1.0 where 0.0"),
        (np.array([True, False]), np.array([True, True]), "entry [1] is True where False"),
    ],
)
def test_each_difference_is_one_sentence(expected, output, told):
    problem = compare(expected, output).problem
    assert told in problem
    assert problem.endswith(".")
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("expected", "output", "note"),
    [
        (2.0, 2, "Your int"),
        (2.0, np.float32(2.0), "numpy scalar"),
        (2.0, torch.tensor(2.0), "torch scalar"),
        (2.0, np.int64(2), "numpy scalar"),
        (2, np.int64(2), "numpy scalar"),
        (True, np.bool_(True), "numpy scalar"),
        ((1, 2), [1, 2], "Your list"),
        ([1, 2], (1, 2), "Your tuple"),
    ],
)
def test_what_is_sensible_is_taken_and_said(expected, output, note):
    found = compare(expected, output)
    assert not found.problem
    assert note in found.notes[0]


@pytest.mark.parametrize(
    "pair", [(2, np.float64(2)), (True, np.int64(1)), (2.0, np.bool_(True)), (2.0, np.ones(1) * 2)]
)
def test_scalars_of_another_kind_are_not_taken(pair):
    assert compare(*pair).problem


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, -0.0, [10**5000], None, "", [], {}, torch.tensor([math.inf, math.nan])]
)
def test_a_value_equals_itself(value):
    assert compare(value, value) == compare(1, 1)


def test_an_int_beyond_every_float_is_a_mistake_and_not_a_crash():
    assert compare(1.0, 10**5000).problem


def test_precision_loosens_a_python_float():
    right = 0.1
    single = float(np.float32(0.1))
    assert compare(right, single).problem
    assert not compare(right, single, "float32").problem


def test_a_small_entry_beside_a_large_one_keeps_the_rounding_error_of_its_sum():
    assert not compare(torch.tensor([1e6, 0.0]), torch.tensor([1e6, 0.5])).problem
    assert compare(torch.tensor([1.0, 0.0]), torch.tensor([1.0, 0.5])).problem
