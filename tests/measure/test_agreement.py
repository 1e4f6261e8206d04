"""What counts as the same result, and which operand sets overflow a cache."""

from __future__ import annotations

import pytest
import torch

from labkit.measure.operands import cloned, rotated, sets_needed, tensors_in


def test_every_tensor_is_found():
    module = torch.nn.BatchNorm1d(3)
    nested = (torch.ones(1), [{"w": torch.ones(2)}, 5, "text"], module)
    assert len(list(tensors_in(nested))) == 2 + len(list(module.parameters())) + len(list(module.buffers()))


def test_sets_are_counted_by_the_smallest_large_operand():
    full, packed, scales = torch.zeros(1 << 20), torch.zeros(1 << 19, dtype=torch.uint8), torch.zeros(64)
    assert sets_needed((full,), 32 << 20) == 16
    assert sets_needed((full, packed, scales), 32 << 20) == 128
    assert sets_needed((full, scales), 32 << 20) == 16


def test_sets_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        rotated((torch.zeros(1024),), lambda i: (torch.zeros(1024),), 1 << 20, memory_bytes=1 << 20)


def test_clones_share_nothing():
    original = ([torch.zeros(2)], {"a": torch.zeros(2)}, 3)
    copy = cloned(original)
    copy[0][0].add_(1)
    copy[1]["a"].add_(1)
    assert original[0][0].sum() == original[1]["a"].sum() == 0
    assert copy[2] == 3
