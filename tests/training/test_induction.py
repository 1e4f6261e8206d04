import dataclasses

import pytest
import torch

from labkit.kernels.attention import attention
from labkit.models.cache import NoCache
from labkit.training.optimiser import initial
from labkit.training.recipes import RECIPES

TIMES, RUN = 8, 40


class Watching:
    """A cache that keeps nothing and remembers how strongly each query attends to each key."""

    def __init__(self):
        self.weights = {}

    def begin(self, tokens, positions):
        self.positions = NoCache().begin(tokens, positions).positions
        return self

    def attend(self, layer, q, k, v):
        n, groups = q.shape[-2], q.shape[1] // k.shape[1]
        scores = q @ k.repeat_interleave(groups, dim=1).mT / q.shape[-1] ** 0.5
        seen = torch.ones(n, n, dtype=torch.bool).tril()
        self.weights[layer] = scores.masked_fill(~seen, float("-inf")).softmax(-1)
        return attention(q, k, v, causal=True)

    def end(self):
        pass


@pytest.fixture(scope="module")
def watched():
    """Attention of a fresh model on runs of different tokens, each shown twice."""
    torch.manual_seed(0)
    run = torch.stack([torch.randperm(3000)[:RUN] + 100 for _ in range(TIMES)])
    watch = Watching()
    with torch.no_grad():
        initial(dataclasses.replace(RECIPES["course-dense"].config, num_layers=3), 0)(torch.cat([run, run], 1), watch)
    return watch.weights


@pytest.mark.parametrize(("head", "back"), [(0, 1), (1, 3), (2, 2), (3, 4)])
def test_each_head_of_the_first_layer_looks_most_so_many_places_back(watched, head, back):
    looked = watched[0][:, head, back + 4 :].mean(0)  # far enough in for every offset to exist
    rows = torch.arange(len(looked)) + back + 4
    offsets = torch.stack([looked[torch.arange(len(looked)), rows - n] for n in range(back + 4)]).mean(1)
    assert offsets.argmax() == back


@pytest.mark.parametrize(("layer", "times"), [(1, 3), (2, 1.5)])  # the second reads a stream with more in it
def test_the_matching_layers_find_the_place_after_an_earlier_occurrence(watched, layer, times):
    rows = torch.arange(RUN, 2 * RUN - 1)
    found = watched[layer][:, :, rows, rows - RUN + 1].mean()
    chance = (1 / (rows + 1.0)).mean()
    assert found > times * chance
