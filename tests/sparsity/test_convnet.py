"""Channel pruning of the convolution network: exact where channels are dead, counted by the trace, tried on digits."""

import pytest
import torch
from torch import nn

from labkit.measure import trace
from labkit.sparsity.convnet import ConvNet, best_channels, filter_norms, folded, keep_channels, multiplications
from labkit.sparsity.digits import accuracy, digits, train


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = ConvNet((6, 8, 10)).eval()
    for norm in net.norms:
        nn.init.normal_(norm.weight, 1, 0.3)
        nn.init.normal_(norm.bias, 0, 0.3)
        norm.running_mean.normal_(0, 0.3)
        norm.running_var.uniform_(0.5, 2)
    return net


IMAGES = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_without_channels_is_the_network_whose_channels_say_nothing(net):
    kept = [torch.tensor([0, 2, 5]), torch.tensor([1, 3, 4, 7]), torch.tensor([0, 9])]
    smaller = keep_channels(net, kept)
    for norm, places in zip(net.norms, kept, strict=True):
        gone = torch.ones(norm.num_features, dtype=torch.bool)
        gone[places] = False
        norm.weight[gone], norm.bias[gone] = 0, 0
    torch.testing.assert_close(smaller(IMAGES), net(IMAGES), atol=1e-5, rtol=1e-5)
    assert smaller.widths == (3, 4, 2)


@torch.no_grad()
def test_multiplications_are_those_the_trace_counts(net):
    for each in (net, keep_channels(net, best_channels(net, 0.5))):
        with trace() as t:
            each(IMAGES[:1])
        assert t.flops == 2 * multiplications(each)
    whole = ConvNet()
    half = keep_channels(whole, best_channels(whole, 0.5))
    assert half.widths == (32, 64, 64)
    assert multiplications(whole) / multiplications(half) == pytest.approx(4, rel=0.03)


@torch.no_grad()
def test_folding_changes_nothing(net):
    fast = folded(net)
    torch.testing.assert_close(fast(IMAGES), net(IMAGES), atol=1e-5, rtol=1e-5)
    assert not [m for m in fast.modules() if isinstance(m, nn.BatchNorm2d)]
    assert [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)], "the network itself keeps its norms"


def test_filters_are_ranked_by_their_absolute_weights(net):
    by_hand = [sum(abs(w) for w in f.flatten().tolist()) for f in net.convolutions[1].weight]
    assert filter_norms(net)[1].tolist() == pytest.approx(by_hand, rel=1e-4)
    best = sorted(range(8), key=by_hand.__getitem__)[4:]
    assert best_channels(net, 0.5)[1].tolist() == sorted(best)


def test_bad_choices_are_refused(net):
    with pytest.raises(ValueError, match="of 3 convolutions; got 1"):
        keep_channels(net, [torch.arange(2)])
    for wrong in ([6], [-1], [2, 2], []):
        with pytest.raises(ValueError, match="different channels from 0 to 5"):
            keep_channels(net, [torch.tensor(wrong, dtype=torch.long), torch.arange(8), torch.arange(10)])


def test_digits_are_split_without_overlap():
    pytest.importorskip("sklearn")
    training, test = digits()
    assert (len(training), len(test)) == (1438, 359)
    assert training.images.shape[1:] == (1, 8, 8)
    assert 0 <= training.images.min() <= training.images.max() <= 1
    assert set(test.labels.tolist()) == set(range(10))
    again, _ = digits()
    assert torch.equal(again.images, training.images)


@pytest.mark.slow
def test_half_the_channels_read_as_well_after_fine_tuning():
    pytest.importorskip("sklearn")
    training, test = digits()
    torch.manual_seed(0)
    net = ConvNet((32, 64, 64))
    train(net, training, epochs=12)
    whole = accuracy(net, test)
    smaller = keep_channels(net, best_channels(net, 0.5))
    assert whole > 0.95
    curve = train(smaller, training, epochs=10)
    assert curve[-1] < curve[0]
    assert accuracy(smaller, test) >= whole - 0.02
