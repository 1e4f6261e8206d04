"""The balance losses against transformers' own, and a tiny mixture that they bring to an even load."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

from labkit.models.config import MoeConfig
from labkit.models.decoder import Decoder
from labkit.training.balance import balance, load_balance_loss, router_z_loss
from labkit.training.objective import predict
from labkit.training.packing import Batch

EXPERTS, CHOSEN = 8, 2


@pytest.fixture
def sparse(tiny):
    """The tiny decoder with experts in place of its MLPs."""
    moe = MoeConfig(EXPERTS, CHOSEN, 64, norm_topk_prob=True, layers=(0, 1))
    torch.manual_seed(0)
    return Decoder(dataclasses.replace(tiny, family="qwen3_moe", vocab_size=128, moe=moe))


def batch_of(tokens, padding=0):
    segments = torch.zeros_like(tokens)
    if padding:
        segments[:, -padding:] = -1
    positions = torch.arange(tokens.shape[1]).expand_as(tokens)
    return Batch(tokens, segments, positions, segments >= 0)


@given(tokens=st.integers(1, 50), layers=st.integers(1, 3), chosen=st.integers(1, EXPERTS), seed=st.integers(0, 999))
@settings(deadline=None)
def test_load_balance_is_that_of_transformers(tokens, layers, chosen, seed):
    """Theirs pools the tokens of all layers, so ours sees them as one layer with that many tokens."""
    torch.manual_seed(seed)
    logits = tuple(3 * torch.randn(tokens, EXPERTS) for _ in range(layers))
    expected = load_balancing_loss_func(logits, EXPERTS, chosen)
    torch.testing.assert_close(load_balance_loss(torch.cat(logits), chosen), expected)


def test_its_gradient_is_that_of_transformers():
    logits = torch.randn(40, EXPERTS, requires_grad=True)
    (expected,) = torch.autograd.grad(load_balancing_loss_func((logits,), EXPERTS, CHOSEN), logits)
    (got,) = torch.autograd.grad(load_balance_loss(logits, CHOSEN), logits)
    assert expected.abs().max() > 1e-4
    torch.testing.assert_close(got, expected)


def test_padding_is_left_out_as_transformers_leaves_it_out(sparse):
    tokens = torch.randint(9, 99, (3, 20))
    real = torch.rand(3, 20) < 0.6
    with balance(sparse, real) as routed:
        sparse(tokens)
    logits = [logits for logits, _ in routed.calls]
    expected = [load_balancing_loss_func((one,), EXPERTS, CHOSEN, attention_mask=real.long()) for one in logits]
    torch.testing.assert_close(routed.loss(balance=1.0, calm=0.0), torch.stack(expected).mean())
    calm = torch.stack([(one[real.flatten()].exp().sum(-1).log() ** 2).mean() for one in logits]).mean()
    torch.testing.assert_close(routed.loss(balance=0.0, calm=1.0), calm)


def test_each_layer_is_balanced_for_itself():
    """Two layers, each with all its load on one expert: pooled they look twice as even as they are."""
    first = torch.full((10, 2), -20.0)
    second = first.clone()
    first[:, 0], second[:, 1] = 20.0, 20.0
    assert load_balance_loss(torch.cat([first, second]), 1) == pytest.approx(1.0)
    assert load_balance_loss(first, 1) == load_balance_loss(second, 1) == pytest.approx(2.0)


def test_z_loss_in_closed_form_and_its_gradient():
    logits = torch.randn(6, EXPERTS, dtype=torch.float64)
    torch.testing.assert_close(
        router_z_loss(logits + 5).double(), ((logits.logsumexp(-1) + 5) ** 2).mean().float().double()
    )
    logits.requires_grad_()
    router_z_loss(logits).backward()
    by_hand = 2 * logits.logsumexp(-1, keepdim=True) * logits.softmax(-1) / 6
    torch.testing.assert_close(logits.grad, by_hand.detach(), atol=1e-6, rtol=1e-5)


def test_watching_changes_nothing_and_ends(sparse):
    tokens = torch.randint(9, 99, (2, 12))
    before = sparse(tokens)
    with balance(sparse) as routed:
        during = sparse(tokens)
    after = sparse(tokens)
    assert torch.equal(before, during)
    assert torch.equal(before, after)
    assert len(routed.calls) == 2


def test_a_dense_model_has_nothing_to_balance(tiny):
    model = Decoder(tiny)
    with balance(model) as routed:
        model(torch.randint(9, 99, (2, 12)))
    assert routed.loss() == 0


def test_a_batch_of_padding_is_refused(sparse):
    with pytest.raises(ValueError, match="No token"), balance(sparse, torch.zeros(2, 3, dtype=torch.bool)):
        pass


def skewed(generator):
    """Rows of 28 independent tokens of a long-tailed vocabulary and 4 of padding."""
    frequencies = 1 / torch.arange(1, 65.0)
    return batch_of(torch.multinomial(frequencies, 8 * 32, True, generator=generator).view(8, 32) + 9, padding=4)


def max_violations(model, batch):
    """How far the busiest expert of each layer is above the even load, in even loads (arXiv 2408.15664, equation 4)."""
    real = batch.segments >= 0
    with torch.no_grad(), balance(model, real) as routed:
        predict(model, batch)
    chosen = (logits[real.flatten()].topk(CHOSEN).indices.flatten() for logits, _ in routed.calls)
    loads = [torch.bincount(one, minlength=EXPERTS).float() for one in chosen]
    return [float(load.max() / load.mean() - 1) for load in loads]


def trained(model, weight):
    """MaxVio a layer after 150 steps, the mean of ten batches: that of a single one wanders."""
    generator = torch.Generator().manual_seed(0)
    steps = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        batch = skewed(generator)
        with balance(model, batch.segments >= 0) as routed:
            loss = predict(model, batch).loss
        (loss + routed.loss(balance=weight)).backward()
        steps.step()
        steps.zero_grad()
    looks = torch.tensor([max_violations(model, skewed(generator)) for _ in range(10)])
    return looks.mean(dim=0).tolist()


@pytest.mark.slow
def test_training_with_it_evens_the_load_and_without_it_a_layer_collapses(sparse):
    start = {name: weight.clone() for name, weight in sparse.state_dict().items()}
    uneven = trained(sparse, weight=0.0)
    sparse.load_state_dict(start)
    even = trained(sparse, weight=1.0)
    assert max(even) < 1.5
    assert max(uneven) > 2.5, "3 is all tokens to the same two of eight"
    assert min(uneven) > 2
