"""Packed layers in a decoder and on disk: the same logits as the masked dense model, and real bytes."""

from functools import partial

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from labkit.kernels.sparse_24 import pack_24
from labkit.models.capture import capture
from labkit.models.walk import linears, weight_of
from labkit.sparsity.activations import input_density, skip_inactive, threshold_for, thresholds
from labkit.sparsity.files import load_layers, save_layers
from labkit.sparsity.layers import CsrLinear, SkippingLinear, Sparse24Linear, packed_layer, place
from labkit.sparsity.masks import keep_in_rows, keep_n_of_m
from labkit.sparsity.methods import by_magnitude, prune

TOKENS = torch.randint(0, 64, (2, 11), generator=torch.Generator().manual_seed(3))
ROLES = ("q", "k", "v", "o", "gate", "up", "down")
PRUNED = {CsrLinear: partial(keep_in_rows, density=0.25), Sparse24Linear: partial(keep_n_of_m, n=2, m=4)}


@pytest.mark.parametrize("kind", PRUNED)
@pytest.mark.parametrize("experts", [False, True])
@torch.no_grad()
def test_a_packed_model_computes_what_the_masked_one_does_also_from_a_file(
    decoder, moe_config, dense_config, kind, experts, tmp_path
):
    model = decoder(moe_config if experts else dense_config)
    prune(model, by_magnitude(PRUNED[kind]), [])
    sites = linears(model, ROLES)
    if kind is Sparse24Linear:
        for site in sites:
            weight_of(model, site).copy_(weight_of(model, site).bfloat16())
    expected = model(TOKENS)
    layers = {site.path: packed_layer(model, site, kind) for site in sites}
    again = load_layers(save_layers(tmp_path / "layers.safetensors", layers))
    assert list(again) == list(layers)
    for held in (layers, again):
        place(model, held, sites)
        torch.testing.assert_close(model(TOKENS), expected, atol=1e-3, rtol=1e-3)
    for site in sites:
        assert type(again[site.path]) is kind
        assert torch.equal(again[site.path].dequantize(), layers[site.path].dequantize())
        assert torch.equal(weight_of(model, site), layers[site.path].dequantize())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_24_takes_at_most_57_hundredths_of_fp16_on_disk_and_in_memory(tmp_path, dtype):
    weight = torch.randn(512, 256)
    weight = weight * keep_n_of_m(weight.abs(), 2, 4)
    layer = Sparse24Linear.from_weight(weight, dtype=dtype)
    file = save_layers(tmp_path / "layer.safetensors", {"only": layer})
    dense = dtype.itemsize * weight.numel()
    assert layer.nbytes <= 0.57 * dense
    assert file.stat().st_size <= 0.57 * dense
    (again,) = load_layers(file).values()
    assert again.nbytes == layer.nbytes
    assert again.values.dtype == dtype


def test_csr_takes_what_its_format_says():
    weight = torch.randn(100, 60) * (torch.rand(100, 60) < 0.1)
    layer = CsrLinear.from_weight(weight)
    assert layer.nbytes == 8 * int((weight != 0).sum()) + 4 * 101


@pytest.mark.parametrize("kind", [CsrLinear, Sparse24Linear])
def test_a_layer_of_density_0_gives_its_bias_also_from_a_file(tmp_path, kind):
    bias, x = torch.randn(20), torch.randn(3, 16)
    layer = kind.from_weight(torch.zeros(20, 16), bias)
    (again,) = load_layers(save_layers(tmp_path / "none.safetensors", {"none": layer})).values()
    for held in (layer, again):
        assert torch.equal(held(x), bias.expand(3, 20))
        assert not held.dequantize().any()


@pytest.mark.parametrize("kind", [CsrLinear, Sparse24Linear])
def test_a_bias_goes_with_its_layer(tmp_path, kind):
    weight, bias, x = torch.randn(20, 16), torch.randn(20), torch.randn(3, 16)
    weight = (weight * keep_n_of_m(weight.abs(), 2, 4)).bfloat16().float()
    layer = kind.from_weight(weight, bias)
    (again,) = load_layers(save_layers(tmp_path / "one.safetensors", {"one": layer})).values()
    for held in (layer, again):
        torch.testing.assert_close(held(x), x @ weight.T + bias, atol=1e-4, rtol=1e-4)
        assert held(x.bfloat16()).dtype == torch.bfloat16


def test_a_file_that_is_none_of_ours(tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"broken\.safetensors is damaged"):
        load_layers(tmp_path / "broken.safetensors")
    save_file({"x": torch.ones(2)}, tmp_path / "dense.safetensors")
    with pytest.raises(ValueError, match="holds no sparse layers"):
        load_layers(tmp_path / "dense.safetensors")


def test_a_file_with_indices_that_are_not_there_is_refused(tmp_path):
    """They would be read from anywhere in memory."""
    weight = torch.randn(6, 16) * keep_n_of_m(torch.rand(6, 16), 2, 4)
    for kind, name in ((CsrLinear, "columns"), (Sparse24Linear, "places")):
        layer = kind.from_weight(weight)
        file = save_layers(tmp_path / "layer.safetensors", {"one": layer})
        with safe_open(file, framework="pt") as opened:
            metadata, tensors = opened.metadata(), {n: opened.get_tensor(n) for n in opened.keys()}  # noqa: SIM118
        tensors[f"one.{name}"] = tensors[f"one.{name}"] + 16 if kind is CsrLinear else tensors["one.places"][:3]
        save_file(tensors, file, metadata=metadata)
        with pytest.raises(ValueError, match=r"layer\.safetensors is damaged"):
            load_layers(file)
        del tensors[f"one.{name}"]
        save_file(tensors, file, metadata=metadata)
        with pytest.raises(ValueError, match=rf"damaged: 'one\.{name}'"):
            load_layers(file)


def test_what_does_not_fit_is_refused(decoder):
    model = decoder()
    with pytest.raises(ValueError, match="Mask it to 2:4 first"):
        Sparse24Linear.from_weight(torch.ones(4, 8))
    with pytest.raises(KeyError, match=r"no linear layer 'layers\.9'"):
        place(model, {"layers.9": Sparse24Linear(pack_24(torch.zeros(4, 8)))}, linears(model))


@torch.no_grad()
def test_a_threshold_leaves_the_density_asked_for():
    x = torch.randn(50, 40)
    for density in (0.0, 0.1, 0.5, 0.9, 1.0):
        assert input_density(x, threshold_for(x, density)) == pytest.approx(density, abs=1 / x.numel())
    assert input_density(torch.zeros(3, 4), threshold_for(torch.zeros(3, 4), 0.5)) == 0, "ties go together"
    assert input_density(torch.zeros(3, 4), threshold_for(torch.zeros(3, 4), 1.0)) == 1
    with pytest.raises(ValueError, match="No calibration input"):
        threshold_for(torch.zeros(0, 4), 0.5)
    with pytest.raises(ValueError, match="from 0 to 1"):
        threshold_for(x, 1.5)


@torch.no_grad()
def test_skipping_is_the_dense_layer_on_inputs_with_the_small_ones_zeroed():
    weight, bias, x = torch.randn(30, 40), torch.randn(30), torch.randn(2, 5, 40)
    layer = SkippingLinear(weight, 0.7, bias, dtype=torch.float32)
    kept = x * (x.abs() > 0.7)
    torch.testing.assert_close(layer(x), kept @ weight.T + bias, atol=1e-4, rtol=1e-4)
    assert torch.equal(layer.dequantize(), weight)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_broken_input_is_never_taken_for_a_small_one(broken):
    x = torch.randn(2, 40)
    x[1, 3] = broken
    found = SkippingLinear(torch.rand(30, 40) + 0.1, 0.7)(x)
    assert found[0].isfinite().all()
    assert not found[1].isfinite().any()


@torch.no_grad()
def test_a_decoder_that_skips(decoder, batches):
    model, whole = decoder(), decoder()
    seen = capture(model, batches, linears(model, ("gate", "up", "down")), keep=10_000)
    dense = thresholds(seen, 1.0)
    skip_inactive(model, dense, dtype=torch.float32)
    torch.testing.assert_close(model(TOKENS), whole(TOKENS), atol=1e-4, rtol=1e-4)
    away = []
    for density in (0.9, 0.5, 0.1):
        found = thresholds(seen, density)
        assert all(input_density(seen[p].kept(), t) == pytest.approx(density, abs=1e-3) for p, t in found.items())
        model = decoder()
        skip_inactive(model, found, dtype=torch.float32)
        away.append(float((model(TOKENS) - whole(TOKENS)).norm()))
    assert away == sorted(away)


def test_a_density_for_each_layer_and_layers_without_inputs(decoder, batches):
    model = decoder()
    sites = linears(model, ("down",))
    seen = capture(model, batches, sites, keep=100)
    found = thresholds(seen, {s.path: 0.2 * (n + 1) for n, s in enumerate(sites)})
    measured = [input_density(seen[s.path].kept(), found[s.path]) for s in sites]
    assert measured == pytest.approx([0.2, 0.4, 0.6], abs=1e-3)
    with pytest.raises(ValueError, match=r"layers\.0\.mlp\.down_proj: No calibration input"):
        thresholds(capture(model, [], sites, keep=100), 0.5)
