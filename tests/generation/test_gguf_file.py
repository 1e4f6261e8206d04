"""The GGUF file against the weights it was made from, and against transformers, which reads GGUF by code of its own."""

import sys

import pytest
import torch

from labkit.generation.peers.engine import Blocked
from labkit.generation.peers.gguf_file import named_tensors, write_gguf
from labkit.models import load, save
from labkit.models.config import MoeConfig

SIZES = {"hidden_size": 64, "intermediate_size": 96, "head_dim": 16, "num_heads": 4, "num_kv_heads": 2, "std": 0.1}
QWEN3 = {"family": "qwen3", "qk_norm": "head", "tie_word_embeddings": True}
FAMILIES = {"llama": SIZES, "qwen3": SIZES | QWEN3}


@pytest.fixture(params=FAMILIES)
def model(request, decoder):
    return decoder(**FAMILIES[request.param])


def test_neighbours_turn_as_halves_do(decoder):
    """Rotary embedding of neighbours (Su et al. 2021, eq. 34) on the new rows is that of halves on the old ones."""
    model, x = decoder(**SIZES), torch.randn(64)
    old = model.layers[0].attention.q_proj.weight[:16] @ x
    new = named_tensors(model)["blk.0.attn_q.weight"][:16] @ x
    angles = 5 * 10_000.0 ** (-torch.arange(8) / 8)
    cos, sin = angles.cos(), angles.sin()
    halves = torch.cat([old[:8] * cos - old[8:] * sin, old[8:] * cos + old[:8] * sin])
    even, odd = new[0::2], new[1::2]
    pairs = torch.stack([even * cos - odd * sin, odd * cos + even * sin])
    torch.testing.assert_close(pairs.flatten(), halves, rtol=1e-5, atol=1e-5)


def test_every_tensor_has_a_name_of_its_own(model):
    found = named_tensors(model)
    assert ("output.weight" in found) != model.config.tie_word_embeddings
    assert sum(t.numel() for t in found.values()) == sum(
        p.numel() for p in {id(p): p for p in model.parameters()}.values()
    )


@pytest.mark.parametrize(("kind", "error"), [("F32", 0.0), ("BF16", 2**-8), ("Q8_0", 0.006), ("Q4_0", 0.13)])
def test_the_file_holds_the_weights(model, tmp_path, kind, error):
    gguf = pytest.importorskip("gguf", reason="the package gguf, which writes the file, is not installed")
    write_gguf(save(model, tmp_path / "model"), kind, tmp_path / "file.gguf")
    reader = gguf.GGUFReader(tmp_path / "file.gguf")
    expected = named_tensors(model)
    assert {t.name for t in reader.tensors} == set(expected)
    for tensor in reader.tensors:
        found = torch.from_numpy(gguf.quants.dequantize(tensor.data, tensor.tensor_type).copy())
        matrix = expected[tensor.name].dim() == 2
        assert tensor.tensor_type.name == (kind if matrix else "F32")
        bound = error * expected[tensor.name].abs().max() if matrix else 0.0
        assert (found.reshape(expected[tensor.name].shape) - expected[tensor.name]).abs().max() <= bound
    assert reader.get_field(f"{model.config.family}.rope.freq_base").contents() == model.config.rope.theta


@torch.inference_mode()
def test_transformers_reads_the_same_model_from_it(decoder, tmp_path):
    pytest.importorskip("gguf", reason="the package gguf, which writes the file, is not installed")
    from transformers import AutoModelForCausalLM

    model = decoder(**SIZES)
    write_gguf(save(model, tmp_path), "F32", tmp_path / "file.gguf")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="file.gguf", dtype=torch.float32)
    tokens = torch.randint(0, 64, (2, 12))
    torch.testing.assert_close(theirs(tokens).logits, model(tokens), rtol=1e-4, atol=1e-4)


def test_what_it_cannot_hold_is_blocked(decoder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gguf", object())
    mixture = decoder(family="mixtral", moe=MoeConfig(4, 2, 48, True, (0, 1)))
    with pytest.raises(Blocked, match="mixtral"):
        write_gguf(save(mixture, tmp_path), "F32", tmp_path / "file.gguf")
    biased = decoder(**SIZES | QWEN3 | {"attention_bias": True})
    with pytest.raises(Blocked, match="bias"):
        write_gguf(save(biased, tmp_path / "biased"), "F32", tmp_path / "file.gguf")
    assert load(tmp_path, dtype="float32", device="cpu").model.config.family == "mixtral"
