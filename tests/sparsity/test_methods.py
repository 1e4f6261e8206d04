"""Pruning a decoder through the walk: order of layers, every method, experts, outliers, and what is refused."""

import dataclasses
from functools import partial

import pytest
import torch
import transformers

from labkit.data import shipped
from labkit.evaluation.divergence import kl_divergence
from labkit.models import load
from labkit.models.capture import capture
from labkit.models.outliers import inject_outliers
from labkit.models.walk import linears, weight_of
from labkit.sparsity.budgets import global_masks
from labkit.sparsity.masks import keep_in_layer, keep_in_rows, keep_n_of_m, kept_count
from labkit.sparsity.methods import apply_masks, by_chance, by_magnitude, by_sparsegpt, by_wanda, prune
from labkit.sparsity.scores import wanda_mask
from labkit.world import World, readings_of

HALF = partial(keep_in_rows, density=0.5)
METHODS = {
    "magnitude": by_magnitude(HALF),
    "wanda": by_wanda(HALF),
    "sparsegpt": by_sparsegpt(0.5),
    "chance": by_chance(HALF),
    "wanda 2:4": by_wanda(partial(keep_n_of_m, n=2, m=4)),
    "sparsegpt 2:4": by_sparsegpt(n_of_m=(2, 4)),
}
PRUNED_ROLES = ("q", "k", "v", "o", "gate", "up", "down")


@pytest.mark.parametrize("method", METHODS)
def test_half_of_every_layer_goes_and_nothing_else_changes(decoder, batches, method):
    model, before = decoder(), decoder()
    prune(model, METHODS[method], batches)
    for site in linears(model):
        weight, old = weight_of(model, site), weight_of(before, site)
        if site.role in PRUNED_ROLES:
            assert (weight != 0).sum() == weight.numel() // 2, site.path
        else:
            assert torch.equal(weight, old)
    assert torch.equal(model.embed_tokens.weight, before.embed_tokens.weight)
    if "2:4" in method:
        (groups,) = {
            int((weight_of(model, s) != 0).unflatten(1, (-1, 4)).sum(-1).max()) for s in linears(model, PRUNED_ROLES)
        }
        assert groups == 2


def test_each_layer_is_judged_by_what_the_pruned_layers_before_it_send(decoder, batches):
    model = decoder()
    prune(model, by_wanda(HALF), batches)
    again = decoder()
    for n in range(3):
        for site in [s for s in linears(again, PRUNED_ROLES) if s.layer == n]:
            weight_of(again, site).data.copy_(weight_of(model, site))
    stale = decoder()
    seen = capture(stale, batches)
    differs = False
    for site in linears(stale, PRUNED_ROLES):
        weight = weight_of(stale, site)
        from_whole = weight * wanda_mask(weight, seen[site.path].input_norm, 0.5)
        same = torch.equal(from_whole, weight_of(model, site))
        if site.layer == 0 and site.role in ("q", "k", "v", "o", "gate", "up"):
            assert same, "nothing before it has been pruned yet"
        differs |= not same
    assert differs, "later layers must have seen other inputs than those of the whole model"


def test_experts_are_pruned_one_by_one(decoder, moe_config, batches):
    model = decoder(moe_config)
    prune(model, by_wanda(HALF), batches)
    experts = [s for s in linears(model, ("gate", "up", "down")) if s.expert is not None]
    assert len(experts) == 2 * 4 * 3
    assert all((weight_of(model, s) != 0).float().mean() == 0.5 for s in experts)
    routers = linears(model, ("router",))
    assert all(torch.equal(weight_of(model, s), weight_of(decoder(moe_config), s)) for s in routers)


def test_a_layer_that_calibration_never_reached_is_named(decoder, moe_config):
    model = decoder(moe_config)
    with torch.no_grad():  # all experts alike to every token, so that the same two are always taken
        for site in linears(model, ("router",)):
            weight_of(model, site).zero_()
    one_token = [torch.tensor([[5]])]
    for method in (by_wanda(HALF), by_sparsegpt(0.5)):
        with pytest.raises(ValueError, match=r"layers\.1\.mlp\.experts\.\d\.\w+_proj: No calibration input reached"):
            prune(model, method, one_token)
    prune(model, by_magnitude(HALF), one_token)


def test_without_any_text_magnitude_alone_can_work(decoder):
    with pytest.raises(ValueError, match=r"layers\.0\.attention\.q_proj: No calibration input"):
        prune(decoder(), by_wanda(HALF), [])
    prune(decoder(), by_magnitude(HALF), [])


def test_a_density_for_each_layer(decoder, batches):
    model, before = decoder(), decoder()
    densities = {site.path: 0.25 * (site.layer + 1) for site in linears(model, ("up", "down"))}
    prune(model, {p: by_wanda(partial(keep_in_rows, density=d)) for p, d in densities.items()}, batches)
    for site in linears(model):
        weight = weight_of(model, site)
        if site.path in densities:
            assert (weight != 0).float().mean() == densities[site.path]
        else:
            assert torch.equal(weight, weight_of(before, site))


@pytest.mark.parametrize("method", ["magnitude", "wanda", "sparsegpt", "chance"])
def test_density_1_changes_no_bit_and_density_0_leaves_no_weight(decoder, batches, method):
    for density in (1.0, 0.0):
        choose = partial(keep_in_rows, density=density)
        methods = {"magnitude": by_magnitude(choose), "wanda": by_wanda(choose), "chance": by_chance(choose)}
        model, before = decoder(), decoder()
        prune(model, (methods | {"sparsegpt": by_sparsegpt(density)})[method], batches, ("gate", "down"))
        for site in linears(model, ("gate", "down")):
            left = weight_of(model, site)
            assert torch.equal(left, weight_of(before, site)) if density else not left.any()


@pytest.mark.parametrize("method", ["magnitude", "wanda", "sparsegpt"])
def test_a_layer_whose_inputs_4_does_not_divide_is_named(decoder, dense_config, batches, method):
    model = decoder(dataclasses.replace(dense_config, intermediate_size=46))
    choose = partial(keep_n_of_m, n=2, m=4)
    methods = {"magnitude": by_magnitude(choose), "wanda": by_wanda(choose), "sparsegpt": by_sparsegpt(n_of_m=(2, 4))}
    with pytest.raises(ValueError, match=r"layers\.0\.mlp\.down_proj: .*46"):
        prune(model, methods[method], batches)


def test_one_contest_over_the_whole_model(decoder):
    model = decoder()
    scores = {s.path: weight_of(model, s).detach().abs() for s in linears(model, PRUNED_ROLES)}
    apply_masks(model, global_masks(scores, 0.3))
    left = sum(int((weight_of(model, s) != 0).sum()) for s in linears(model, PRUNED_ROLES))
    assert left == kept_count(sum(w.numel() for w in scores.values()), 0.3)
    with pytest.raises(KeyError, match=r"no linear layer 'layers\.7'"):
        apply_masks(model, {"layers.7": torch.ones(1)})


@torch.no_grad()
def test_with_injected_outliers_chance_is_worst_then_magnitude_then_wanda(decoder, batches):
    """Outliers injected: their weights are 30 times smaller, so magnitude takes them for useless."""
    held_out = torch.randint(0, 64, (8, 32), generator=torch.Generator().manual_seed(7))
    kl = {}
    for name in ("chance", "magnitude", "wanda"):
        total = 0.0
        for seed in range(3):
            model = decoder(seed=seed)
            inject_outliers(model, channels=[1, 8, 20, 30])
            whole = model(held_out)
            method = by_chance(partial(keep_in_layer, density=0.5), seed) if name == "chance" else METHODS[name]
            prune(model, method, batches)
            total += float(kl_divergence(whole, model(held_out)).mean())
        kl[name] = total
    assert kl["wanda"] < kl["magnitude"]
    assert kl["wanda"] < kl["chance"]


@pytest.mark.slow
@torch.no_grad()
def test_the_published_order_on_a_trained_model_with_injected_outliers():
    """Chance, magnitude, Wanda, SparseGPT (arXiv 2306.11695, table 2); Wanda alone does not notice the injection."""
    seqs = _world_tokens()
    kl: dict[str, float] = {}
    for name, inject in (("chance", True), ("magnitude", True), ("wanda", True), ("sparsegpt", True), ("plain", False)):
        model = load("course-seed", dtype="float32", device="cpu").model
        whole = model(seqs[12:])
        if inject:
            inject_outliers(model, channels=range(0, 128, 8))
        prune(model, METHODS["wanda" if name == "plain" else name], list(seqs[:12].split(4)))
        kl[name] = float(kl_divergence(whole, model(seqs[12:])).mean())
    assert kl["chance"] > kl["magnitude"] > kl["wanda"] > kl["sparsegpt"]
    assert kl["wanda"] == pytest.approx(kl["plain"], rel=1e-3)


def _world_tokens():
    """Passages of the course's world as 24 sequences of 128 tokens."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(shipped("tokenizer"))
    ids: list[int] = []
    for reading in readings_of(World(), "one-hop", "train", "after", seed=0):
        ids += tokenizer("\n".join(p.text for p in reading.passages), add_special_tokens=False)["input_ids"]
        if len(ids) >= 24 * 128:
            return torch.tensor(ids[: 24 * 128]).view(24, 128)
    raise AssertionError("the world is too small")
