"""Dependency groups: those of a decoder are what structured pruning takes, and residual branches hang together."""

import pytest
import torch
from torch import nn

from labkit.sparsity.groups import dependency_group, keep_outputs

pytest.importorskip("torch_pruning")
TOKENS = torch.randint(0, 64, (1, 9), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("layer", [0, 2])
def test_a_decoder_loses_what_structured_pruning_takes(decoder, layer):
    stem = f"layers.{layer}."
    channel = dependency_group(decoder(), TOKENS, f"{stem}mlp.gate_proj")
    assert set(channel) == {
        f"{stem}mlp.gate_proj: out_channels",
        f"{stem}mlp.up_proj: out_channels",
        f"{stem}mlp.down_proj: in_channels",
    }
    head = dependency_group(decoder(), TOKENS, f"{stem}attention.k_proj")
    assert set(head) == {f"{stem}attention.{r}_proj: out_channels" for r in "qkv"} | {
        f"{stem}attention.o_proj: in_channels"
    }


class Residual(nn.Module):
    """Two convolutions that are added to each other."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.reader = nn.Conv2d(1, 6, 1), nn.Conv2d(6, 6, 1), nn.Conv2d(6, 2, 1)

    def forward(self, x):
        x = self.first(x)
        return self.reader(x + self.second(x))


@torch.no_grad()
def test_what_is_added_goes_together():
    net, x = Residual(), torch.rand(2, 1, 4, 4)
    kept = torch.tensor([0, 3, 4])
    smaller = keep_outputs(net, x, {"first": kept})
    assert {n: tuple(p.shape[:2]) for n, p in smaller.named_parameters() if p.dim() > 1} == {
        "first.weight": (3, 1),
        "second.weight": (3, 3),
        "reader.weight": (2, 3),
    }
    for name in ("first", "second"):
        layer = net.get_submodule(name)
        gone = torch.tensor([1, 2, 5])
        layer.weight[gone], layer.bias[gone] = 0, 0
    torch.testing.assert_close(smaller(x), net(x))
    assert net.first.out_channels == 6, "the network itself is untouched"


def test_all_outputs_kept_is_a_copy():
    net, x = Residual(), torch.rand(2, 1, 4, 4)
    same = keep_outputs(net, x, {"first": torch.arange(6)})
    assert same is not net
    assert torch.equal(same(x), net(x))
