"""bitsandbytes through our loader: the four traps of FINDINGS, each tried after an evaluation.

The truth is bitsandbytes' own quantizer applied to the original weights, and plain matrix products with what it gives.
"""

import logging

import bitsandbytes as bnb
import pytest
import torch
from bitsandbytes.functional import dequantize_4bit, int8_vectorwise_quant, quantize_4bit
from safetensors import safe_open

import labkit as lk
from labkit.models.quantized import FourBitLinear, Int8Linear, dequantize
from labkit.models.schemes import ROLES, SCHEMES
from labkit.models.walk import linears, replace, weight_of

FOUR_BIT = ["nf4", "nf4-double", "fp4"]
EVERY = ["int8", *FOUR_BIT]
MODELS = ["llama", "qwen3_moe"]
BIASED = {"llama": {"attention_bias": True, "mlp_bias": True}}


def rounded(weight, quantization):
    """What quantizing does to a weight, by bitsandbytes' functions alone."""
    if quantization == "int8":
        codes, scales, _ = int8_vectorwise_quant(weight.half())
        return codes.float() * scales[:, None] / 127
    kind, double = quantization.split("-")[0], quantization.endswith("double")
    return dequantize_4bit(*quantize_4bit(weight, quant_type=kind, compress_statistics=double))


@pytest.fixture(params=MODELS)
def folder(request, save_random):
    return save_random(request.param, hidden_size=64, **BIASED.get(request.param, {}))[0]


@pytest.fixture
def tokens():
    return torch.randint(3, 96, (2, 9))


@pytest.fixture
def reference(folder):
    """`reference(quantization)`: our decoder with every quantizable weight rounded, in plain fp32 layers."""

    def build(quantization):
        model = lk.load(folder).model
        with torch.no_grad():
            for site in linears(model, ROLES):
                weight = weight_of(model, site)
                weight.copy_(rounded(weight.clone(), quantization))
        return model

    return build


@pytest.mark.parametrize("quantization", FOUR_BIT)
@torch.no_grad()
def test_logits_are_those_of_the_rounded_weights(folder, reference, quantization, tokens):
    model = lk.load(folder, quantization=quantization).model
    torch.testing.assert_close(model(tokens), reference(quantization)(tokens), atol=1e-4, rtol=0)


@torch.no_grad()
def test_int8_stays_close_to_the_rounded_weights(folder, reference, tokens):
    """Activations are rounded too, so equality is not to be had: at most 1/127 of the largest in each row."""
    ours, plain = lk.load(folder, quantization="int8").model(tokens), reference("int8")(tokens)
    assert torch.nn.functional.cosine_similarity(ours, plain, dim=-1).min() > 0.995
    assert not torch.equal(ours, plain)


@pytest.mark.parametrize("quantization", EVERY)
def test_experts_are_quantized_too(folder, quantization):
    model = lk.load(folder, quantization=quantization).model
    kind = Int8Linear if quantization == "int8" else FourBitLinear
    sites = linears(model)
    assert all(isinstance(model.get_submodule(s.path), kind) == (s.role in ROLES) for s in sites)
    if model.config.moe:
        assert any(s.expert is not None for s in sites)


@pytest.mark.parametrize("quantization", EVERY)
@torch.no_grad()
def test_saving_after_evaluation_and_reloading_gives_the_same_model(folder, tmp_path, quantization, tokens):
    first = lk.load(folder, quantization=quantization)
    before = first.model(tokens)
    lk.models.save(first.model, tmp_path / "saved")
    again = lk.load(tmp_path / "saved")
    assert again.card.quantization == quantization
    assert again.card.weight_bytes == first.card.weight_bytes
    assert torch.equal(again.model(tokens), before)
    assert torch.equal(first.model(tokens), before)
    lk.models.save(again.model.train(), tmp_path / "twice")
    with (
        safe_open(tmp_path / "saved/model.safetensors", "pt") as a,
        safe_open(tmp_path / "twice/model.safetensors", "pt") as b,
    ):
        assert sorted(a.keys()) == sorted(b.keys())
        assert all(torch.equal(a.get_tensor(k), b.get_tensor(k)) for k in a.keys())  # noqa: SIM118


@pytest.mark.parametrize("quantization", EVERY)
@torch.no_grad()
def test_a_saved_dense_model_loads_in_transformers(save_random, tmp_path, quantization, tokens):
    folder, _ = save_random("llama", hidden_size=64, attention_bias=True)
    ours = lk.load(folder, quantization=quantization).model
    logits = ours(tokens)
    lk.models.save(ours, tmp_path / "saved")
    theirs = lk.load(tmp_path / "saved", backend="transformers").model
    torch.testing.assert_close(theirs(tokens).logits, logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize("quantization", EVERY)
@torch.no_grad()
def test_dequantizing_after_evaluation_gives_the_rounded_weights(folder, reference, quantization, tokens):
    model, plain = lk.load(folder, quantization=quantization).model, reference(quantization)
    model(tokens)
    dequantize(model)
    for site in linears(model, ROLES):
        torch.testing.assert_close(weight_of(model, site), weight_of(plain, site), atol=1e-6, rtol=0)
    torch.testing.assert_close(model(tokens), plain(tokens), atol=1e-4, rtol=0)


@pytest.mark.parametrize("quantization", EVERY)
def test_training_after_evaluation_has_the_gradients_of_the_rounded_model(folder, reference, quantization, tokens):
    model, plain = lk.load(folder, quantization=quantization).model, reference(quantization)
    with torch.no_grad():
        model(tokens)
    probe = torch.randn(2, 9, 96)
    (model.train()(tokens) * probe).sum().backward()
    (plain(tokens) * probe).sum().backward()
    ours, theirs = model.embed_tokens.weight.grad, plain.embed_tokens.weight.grad
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)


@pytest.mark.filterwarnings("ignore:Merge lora module")
@pytest.mark.parametrize("quantization", EVERY)
@torch.no_grad()
def test_merging_a_lora_after_evaluation_is_right(folder, reference, quantization, tokens):
    from peft import LoraConfig, get_peft_model

    names = ["q_proj", "v_proj", "up_proj", "down_proj"]
    model, plain = lk.load(folder, quantization=quantization).model, reference(quantization)
    model(tokens)
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules=names, init_lora_weights=False)).eval()
    deltas = {
        path.removeprefix("base_model.model."): m.get_delta_weight("default")
        for path, m in adapted.named_modules()
        if hasattr(m, "get_delta_weight")
    }
    assert {path.split(".")[-1] for path in deltas} == set(names)
    adapted(tokens)
    merged = adapted.merge_and_unload()
    for site in linears(merged, ROLES):
        expected = weight_of(plain, site).clone()
        if site.path in deltas:
            expected = rounded(expected + deltas[site.path], quantization)
        step = 0.02 if quantization == "int8" else 1e-5  # PEFT unpacks int8 in fp16, which may tip a weight by a step
        torch.testing.assert_close(weight_of(merged, site), expected, atol=step, rtol=0)
        weight_of(plain, site).copy_(weight_of(merged, site))
    bound = 0.5 if quantization == "int8" else 1e-3
    torch.testing.assert_close(merged(tokens), plain(tokens), atol=bound, rtol=0)


@pytest.mark.parametrize("quantization", FOUR_BIT)
@torch.no_grad()
def test_weights_are_never_repacked_even_where_the_processor_could(folder, quantization, tokens, monkeypatch):
    """A processor with AVX512-bf16 is played; the control shows that bitsandbytes' own layer falls into the trap."""
    monkeypatch.setattr(bnb.nn.modules, "has_avx512bf16", lambda: True)
    model = lk.load(folder, quantization=quantization).model
    layer = model.layers[0].attention.q_proj
    held = layer.weight.data.clone()
    model(tokens)
    layer.support_avx512bf16_for_cpu = True
    model(tokens)
    assert torch.equal(layer.weight.data, held)

    trapped = bnb.nn.Linear4bit(64, 64, bias=False, quant_type=SCHEMES[quantization].quant_type).eval()
    trapped.to("cpu")
    held = trapped.weight.data.clone()
    packed = []
    monkeypatch.setattr(bnb.nn.modules, "_convert_weight_packed_for_cpu", lambda w, s: (packed.append(1) or w, s))
    trapped(torch.randn(1, 64))
    assert packed, "the control no longer falls into the trap; is the guard still needed?"


@pytest.mark.parametrize("quantization", EVERY)
@torch.no_grad()
def test_odd_shapes_are_right(quantization):
    from labkit.models.quantized import quantized_linear

    for rows, columns in [(33, 50), (7, 34), (1, 64), (96, 200)]:
        weight, bias, x = torch.randn(rows, columns), torch.randn(rows), torch.randn(2, 3, columns)
        layer = quantized_linear(weight, bias, SCHEMES[quantization]).eval()
        expected = x @ rounded(weight, quantization).T + bias
        bound = 0.4 if quantization == "int8" else 1e-4
        torch.testing.assert_close(layer(x), expected, atol=bound, rtol=0)
        torch.testing.assert_close(layer.dequantize(), rounded(weight, quantization), atol=1e-6, rtol=0)


@torch.no_grad()
def test_two_warnings_are_silenced_and_no_other(folder, tokens, caplog):
    model = lk.load(folder, quantization="int8").model
    backend = logging.getLogger("bitsandbytes.backends.cpu.ops")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            model(tokens)
        backend.warning("Failed to load CPU gemm_4bit_forward from kernels-community: %s.", "no network")
        assert not caplog.records
        backend.warning("Failed to load something else")
        logging.getLogger("bitsandbytes.autograd._functions").warning("something else")
        logging.getLogger("bitsandbytes.nn.modules").warning("and this")
    assert [r.message for r in caplog.records] == ["Failed to load something else", "something else", "and this"]


def test_a_checkpoint_keeps_the_scheme_it_was_saved_in(folder, tmp_path):
    lk.models.save(lk.load(folder, quantization="nf4").model, tmp_path / "saved")
    with pytest.raises(lk.models.LoadError, match="stored as nf4 and cannot become int8"):
        lk.load(tmp_path / "saved", quantization="int8")
    with pytest.raises(lk.models.LoadError, match="quantization='nf5' is unknown"):
        lk.load(folder, quantization="nf5")


def test_two_schemes_in_one_model_are_not_saved(folder, tmp_path):
    model, other = (lk.load(folder, quantization=q).model for q in ("nf4", "int8"))
    site = linears(model, ("q",))[0]
    replace(model, site, other.get_submodule(site.path))
    with pytest.raises(ValueError, match="one quantization"):
        lk.models.save(model, tmp_path / "mixed")
