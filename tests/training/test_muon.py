import pytest
import torch

from labkit.training.muon import Muon, groups, orthogonal
from labkit.training.optimiser import initial


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 6, 20), (2, 20, 6)])
def test_orthogonal_keeps_the_directions_and_evens_out_their_lengths(shape):
    generator = torch.Generator().manual_seed(0)
    given = torch.randn(shape, generator=generator)
    u, _, vh = torch.linalg.svd(given, full_matrices=False)
    inside = u.mT @ orthogonal(given) @ vh.mT  # in the matrix's own directions only a diagonal is left
    diagonal = inside.diagonal(dim1=-2, dim2=-1)
    assert torch.allclose(inside, torch.diag_embed(diagonal), atol=1e-4)
    assert ((diagonal > 0.6) & (diagonal < 1.25)).all()


def test_a_gradient_of_zeros_moves_nothing():
    assert torch.equal(orthogonal(torch.zeros(1, 3, 4)), torch.zeros(1, 3, 4))


def test_steps_are_those_of_torch():
    """torch orthogonalises in bf16, so updates agree to about its rounding, three steps on end."""
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(w.clone()) for w in [torch.randn(24, 16)] * 2)
    named = [("layers.0.mlp.up_proj.weight", ours)]
    steps = [
        Muon(groups(named, 0.1), lr=0.02),
        torch.optim.Muon([theirs], lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
    ]
    for _ in range(3):
        before, gradient = ours.detach().clone(), torch.randn(24, 16)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        for optimiser in steps:
            optimiser.step()
        assert torch.linalg.norm(ours - theirs) < 0.03 * torch.linalg.norm(ours - before)


def test_experts_move_as_matrices_on_their_own():
    torch.manual_seed(0)
    gradient = torch.randn(3, 8, 6)
    stacked = torch.nn.Parameter(torch.zeros(3, 8, 6))
    alone = torch.nn.Parameter(torch.zeros(8, 6))
    stacked.grad, alone.grad = gradient.clone(), gradient[1].clone()
    Muon(groups([("layers.0.mlp.experts.down", stacked), ("layers.0.x", alone)], 0.0), lr=0.1).step()
    assert torch.allclose(stacked[1], alone, atol=1e-6)


def test_embedding_gains_and_biases_are_left_to_adamw(tiny):
    model = initial(tiny, 0)
    twin = initial(tiny, 0)
    muon = Muon(groups(model.named_parameters(), 0.01), lr=1e-3)
    adamw = torch.optim.AdamW(
        [
            {"params": [twin.embed_tokens.weight], "weight_decay": 0.01},
            {"params": [p for p in twin.parameters() if p.dim() < 2], "weight_decay": 0.0},
        ],
        lr=1e-3,
    )
    for one in (model, twin):
        torch.manual_seed(1)
        for parameter in one.parameters():
            parameter.grad = torch.randn_like(parameter)
    muon.step()
    adamw.step()
    for name, parameter in model.named_parameters():
        same = torch.allclose(parameter, twin.get_parameter(name), atol=1e-7)
        moved = not torch.equal(parameter, initial(tiny, 0).get_parameter(name))
        assert moved
        assert same == (parameter.dim() < 2 or name.startswith("embed_tokens")), name
