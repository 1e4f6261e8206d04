"""Our own quantized schemes through the loader: against plain layers with the same rounded weights, bytes included."""

import copy
import json

import pytest
import torch
from safetensors.torch import load_file

import labkit as lk
from labkit.kernels.packed_weight import pack
from labkit.kernels.quantized_weight import QuantizedWeight
from labkit.kernels.weight_format import WeightFormat
from labkit.measure import trace
from labkit.models import LoadError
from labkit.models.checkpoint import read_json
from labkit.models.families import read_config
from labkit.models.packed_schemes import PACKED_SCHEMES
from labkit.models.planning import make_plan
from labkit.models.quantized import dequantize
from labkit.models.quantized_linear import LayerFormat, QuantizedLinear
from labkit.models.rounding import EXTREMES, rounded
from labkit.models.walk import linears, replace, weight_of

EVERY = list(PACKED_SCHEMES)
SIZES = {
    "llama": {"hidden_size": 64, "intermediate_size": 96, "attention_bias": True, "mlp_bias": True},
    "qwen3_moe": {"hidden_size": 64, "moe_intermediate_size": 32},
}


@pytest.fixture(params=SIZES)
def folder(request, save_random):
    return save_random(request.param, **SIZES[request.param])[0]


@pytest.fixture
def llama(save_random):
    return save_random("llama", **SIZES["llama"])[0]


@pytest.fixture
def tokens():
    return torch.randint(3, 96, (2, 9))


def rounded_by_hand(weight, fmt):
    """The best of the scales that loading tries, group by group in float64, in plain Python loops over them."""
    found = weight.double().clone()
    for row in found:
        for group in row.view(-1, fmt.group_size or len(row)):
            extreme = group[group.abs().argmax()]
            tried = [(-extreme / (fmt.middle + beyond)).half().double() for beyond in EXTREMES]
            values = [(group / s).round().clamp(-fmt.middle, fmt.middle - 1) * s for s in tried]
            group.copy_(min(values, key=lambda v: float((v - group).square().sum())))
    return found


@torch.no_grad()
def plain(folder, scheme):
    model = lk.load(folder, dtype="float32").model
    for site in linears(model):
        if layer := scheme.format_of(site.path):
            weight = weight_of(model, site)
            weight.copy_(rounded_by_hand(weight, layer.weight))
    return model


@pytest.mark.parametrize("bits", ["w4", "w8"])
@torch.no_grad()
def test_logits_are_those_of_the_rounded_weights(folder, bits, tokens):
    expected = plain(folder, PACKED_SCHEMES[f"{bits}a16"])(tokens)
    wide, narrow = (lk.load(folder, quantization=f"{bits}a{a}", dtype="float32").model(tokens) for a in (16, 8))
    torch.testing.assert_close(wide, expected, atol=2e-3, rtol=0)
    assert torch.nn.functional.cosine_similarity(narrow, expected, dim=-1).min() > 0.999
    assert (narrow - expected).abs().max() > 4 * (wide - expected).abs().max(), "rounding to 8 bits must show"


@pytest.mark.parametrize("quantization", EVERY)
def test_every_linear_is_quantized_but_the_router(folder, quantization):
    model = lk.load(folder, quantization=quantization).model
    for site in linears(model):
        layer = model.get_submodule(site.path)
        assert isinstance(layer, QuantizedLinear) == (site.role != "router")
        if site.role != "router":
            four = quantization.startswith("w4") and site.role != "lm_head"
            assert layer.format.weight == WeightFormat(*((4, 32) if four else (8, None)))
            assert layer.format.activation_bits == int(quantization.split("a")[1])


def test_a_tied_head_stays_with_its_table(save_random):
    folder = save_random("llama", tie_word_embeddings=True, **SIZES["llama"])[0]
    model, _, card = lk.load(folder, quantization="w4a16")
    assert model.lm_head.weight is model.embed_tokens.weight
    assert "head" not in card.bytes_by_part


@pytest.mark.parametrize("quantization", EVERY)
@torch.no_grad()
def test_a_saved_model_is_the_same_model_and_the_same_bytes(folder, tmp_path, quantization, tokens):
    first = lk.load(folder, quantization=quantization)
    lk.models.save(first.model, tmp_path / "saved")
    again = lk.load(tmp_path / "saved")
    assert again.card.quantization == quantization
    assert again.card.bytes_by_part == first.card.bytes_by_part
    assert torch.equal(again.model(tokens), first.model(tokens))
    lk.models.save(again.model, tmp_path / "twice")
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("saved", "twice")]
    assert files[0] == files[1]
    assert read_json(tmp_path / "saved/config.json")["quantization_config"]["quant_method"] == "labkit"
    held = load_file(tmp_path / "saved/model.safetensors")
    q = first.model.layers[0].attention.q_proj.packed_weight()
    assert torch.equal(held["model.layers.0.self_attn.q_proj.codes"], q.codes)
    assert torch.equal(held["model.layers.0.self_attn.q_proj.scales"], q.scales)
    assert not [name for name in held if name.endswith("q_proj.weight")]


@torch.no_grad()
def test_whatever_an_algorithm_hands_over_runs_saves_and_loads(llama, tmp_path, tokens):
    """Formats with and without an order in panels, of every kind, in one model."""
    formats = [
        WeightFormat(2, 32, scale_dtype=torch.float32),
        WeightFormat(3, 16, symmetric=False),
        WeightFormat(4, 64, symmetric=False, scale_dtype=torch.bfloat16),
        WeightFormat(4, 32, code="nf4"),
        WeightFormat(8, 32),
    ]
    model, same = (lk.load(llama, dtype="float32").model for _ in range(2))
    for n, (site, fmt) in enumerate(zip(linears(model, ("q", "v", "o", "gate", "lm_head")), formats, strict=False)):
        out, inner = weight_of(model, site).shape
        torch.manual_seed(n)
        codes = torch.randint(0, fmt.levels, (out, inner), dtype=torch.uint8)
        scales = (0.1 + 0.1 * torch.rand(out, fmt.groups(inner))).to(fmt.scale_dtype) / fmt.levels
        weight = QuantizedWeight(codes, scales, None if fmt.symmetric else scales * 0 + fmt.middle, fmt)
        layer = QuantizedLinear.of(weight, model.get_submodule(site.path).bias, activation_bits=16)
        assert torch.equal(layer.dequantize(), weight.dequantize())
        assert layer.packed.nbytes == pack(weight).nbytes
        assert torch.equal(copy.deepcopy(layer).to(torch.bfloat16).packed_weight().scales, weight.scales)
        replace(model, site, layer)
        weight_of(same, site).copy_(weight.dequantize())
    expected = same(tokens)
    torch.testing.assert_close(model(tokens), expected, atol=1e-3 * expected.abs().max().item(), rtol=0)
    lk.models.save(model, tmp_path / "mixed")
    again = lk.load(tmp_path / "mixed")
    assert again.card.quantization == "mixed"
    assert torch.equal(again.model(tokens), model(tokens))
    torch.testing.assert_close(dequantize(again.model)(tokens), expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_head_that_was_tied_is_saved_on_its_own(save_random, tmp_path, tokens):
    model = lk.load(save_random("llama", tie_word_embeddings=True, **SIZES["llama"])[0], dtype="float32").model
    (head,) = linears(model, ("lm_head",))
    replace(model, head, QuantizedLinear.of(rounded(model.lm_head.weight, WeightFormat(8))))
    lk.models.save(model, tmp_path / "untied")
    assert torch.equal(lk.load(tmp_path / "untied", dtype="float32").model(tokens), model(tokens))


@pytest.mark.parametrize("quantization", EVERY)
def test_a_plan_foretells_the_bytes_of_the_card(folder, quantization):
    config = read_config(read_json(folder / "config.json"))
    plan = make_plan("x", config, torch.float32, PACKED_SCHEMES[quantization], torch.device("cpu"), 1 << 30)
    model, _, card = lk.load(folder, dtype="float32", quantization=quantization)
    assert card.bytes_by_part == plan.bytes_by_part
    assert card.parameters == sum(plan.parameters_by_part.values())
    layer = model.layers[0].attention.q_proj
    assert layer.packed.nbytes == layer.packed_weight().nbytes == layer.format.weight.nbytes(*layer.dequantize().shape)


@pytest.mark.parametrize("quantization", EVERY)
@torch.no_grad()
def test_the_trace_knows_what_it_costs(folder, quantization):
    flops = []
    for scheme in (None, quantization):
        model = lk.load(folder, dtype="float32", quantization=scheme).model
        with trace() as seen:
            model(torch.arange(3, 10)[None])
        assert [op.name for op in seen.ops if op.unknown] == []
        flops.append(seen.flops)
    assert flops[0] == flops[1] > 0


@torch.no_grad()
def test_a_model_in_bf16_computes_with_them_too(llama, tokens):
    model = lk.load(llama, dtype="bfloat16", quantization="w4a16").model
    assert model(tokens).dtype == torch.bfloat16
    wide = lk.load(llama, dtype="float32", quantization="w4a16").model
    assert torch.nn.functional.cosine_similarity(model(tokens).float(), wide(tokens), dim=-1).min() > 0.99


def test_rounding_leaves_what_it_can_hold():
    exact = torch.tensor([[-8.0, 7, 0, 3], [0, 0, 0, 0], [0.5, 0.5, 0.5, 0.5], [4, -3.5, 0.5, 1]])
    assert torch.equal(rounded(exact, WeightFormat(4)).dequantize(), exact)
    weight = torch.randn(40, 64)
    for fmt in (WeightFormat(4, 32), WeightFormat(2, 8), WeightFormat(8)):
        torch.testing.assert_close(rounded(weight, fmt).dequantize().double(), rounded_by_hand(weight, fmt))
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 4"):
        rounded(torch.tensor([[1.0, 2, float("nan"), 0]]), WeightFormat(4))
    with pytest.raises(ValueError, match="symmetric integers"):
        rounded(weight, WeightFormat(4, symmetric=False))


def test_what_cannot_be_is_refused(save_random, llama, tmp_path):
    odd = save_random("llama", hidden_size=48, num_attention_heads=4, seed=1)[0]
    with pytest.raises(LoadError, match=r"q_proj\.weight cannot become w4a16: Groups of 32 do not divide rows of 48"):
        lk.load(odd, quantization="w4a16")
    assert lk.load(odd, quantization="w8a8").card.quantization == "w8a8"
    with pytest.raises(LoadError, match="transformers cannot run w4a8; backend='labkit' can"):
        lk.load(llama, quantization="w4a8", backend="transformers")
    with pytest.raises(LoadError, match=r"'w3a3' is unknown; choose one of int8, .*, w8a8 or None"):
        lk.load(llama, quantization="w3a3")
    saved = lk.models.save(lk.load(llama, quantization="w4a16").model, tmp_path / "saved")
    with pytest.raises(LoadError, match="transformers cannot run w4a16"):
        lk.load(saved, backend="transformers")
    for other in ("w8a8", "nf4"):
        with pytest.raises(LoadError, match=f"stored as w4a16 and cannot become {other}"):
            lk.load(saved, quantization=other)
    mixed = lk.load(llama, quantization="w4a16").model
    mixed.layers[0].mlp.up_proj = lk.load(llama, quantization="nf4").model.layers[0].mlp.up_proj
    with pytest.raises(ValueError, match="bitsandbytes or packed ones of labkit"):
        lk.models.save(mixed, tmp_path / "both")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda q: q.pop("formats"), "quantization_config is damaged"),
        (lambda q: q["formats"][0].update(bits=5), "2, 3, 4 or 8 bits, not 5"),
        (lambda q: q["formats"][0].update(activation_bits=4), "activation_bits 4"),
        (lambda q: q["formats"][0].update(group_size=64), "Groups of 64 do not divide rows of 96"),
        (lambda q: q["formats"][0].update(bits=8), r"codes has the shape 64 x 32, but config\.json says 64 x 64"),
        (lambda q: q["formats"][0].update(symmetric=False), r"lack the tensor model\.layers\.0\..*zeros"),
        (lambda q: q.update(layers={}), "names no quantized layers"),
        (lambda q: q["layers"].pop("layers.1.mlp.up_proj"), r"lack the tensor .*up_proj\.weight"),
        (lambda q: q.update(quant_method="gptq"), "'gptq' is not supported"),
    ],
)
def test_a_damaged_description_is_refused(llama, tmp_path, change, message):
    saved = lk.models.save(lk.load(llama, quantization="w4a16").model, tmp_path / "saved")
    raw = read_json(saved / "config.json")
    change(raw["quantization_config"])
    (saved / "config.json").write_text(json.dumps(raw))
    with pytest.raises(LoadError, match=message):
        lk.load(saved)


def test_a_layer_says_what_it_is():
    layer = QuantizedLinear.of(rounded(torch.randn(32, 64), WeightFormat(4, 32)), torch.zeros(32), 8)
    assert "64 -> 32, 4 bits, groups of 32, activations of 8 bits, bias" in repr(layer)
    assert layer.format == LayerFormat(WeightFormat(4, 32), 8, False)
