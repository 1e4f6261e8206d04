"""`lk.load` on good and bad input: a clear sentence naming the file or field, and never a wrong answer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers

import labkit as lk
from labkit.data import write_card
from labkit.models import LoadError

FAMILIES = ["llama", "qwen3", "mixtral", "olmoe", "qwen3_moe"]


@pytest.fixture
def llama(save_random):
    return save_random("llama")[0]


def edit(folder: Path, **fields) -> None:
    path = folder / "config.json"
    raw = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in (raw | fields).items() if v != "REMOVED"}))


def write_tokenizer(folder: Path, size: int) -> None:
    vocab = {f"w{n}": n for n in range(size)}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "w0"}')


def refusal(*args, **options) -> str:
    """The message of the `LoadError`; no cause of another library may be shown with it."""
    with pytest.raises(LoadError) as caught:
        lk.load(*args, **options)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("backend", ["labkit", "transformers"])
@torch.no_grad()
def test_a_folder_saved_by_transformers_loads_and_computes_the_same(save_random, family, backend):
    folder, theirs = save_random(family)
    model, tokenizer, card = lk.load(folder, dtype="float32", backend=backend)
    tokens = torch.randint(3, 96, (2, 8))
    out = model(tokens)
    torch.testing.assert_close(getattr(out, "logits", out), theirs(tokens).logits, atol=1e-4, rtol=0)
    assert tokenizer is None
    assert (card.family, card.backend) == (family, backend)
    assert card.parameters == sum(p.numel() for p in theirs.parameters())
    assert not model.training


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_what_we_save_transformers_loads(save_random, tmp_path, family):
    folder, theirs = save_random(family)
    lk.models.save(lk.load(folder).model, tmp_path / "ours")
    again = lk.load(tmp_path / "ours", backend="transformers").model
    tokens = torch.randint(3, 96, (2, 8))
    torch.testing.assert_close(again(tokens).logits, theirs(tokens).logits, atol=1e-4, rtol=0)


@torch.no_grad()
def test_sharded_checkpoints_load(random_model, tmp_path):
    theirs = random_model("mixtral")
    theirs.save_pretrained(tmp_path, max_shard_size="60KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    tokens = torch.randint(3, 96, (1, 8))
    torch.testing.assert_close(lk.load(tmp_path).model(tokens), theirs(tokens).logits, atol=1e-4, rtol=0)
    shard = sorted(tmp_path.glob("*.safetensors"))[1]
    shard.unlink()
    assert shard.name in refusal(tmp_path)


@torch.no_grad()
def test_bfloat16_files_become_the_dtype_asked_for(random_model, tmp_path):
    random_model("llama").to(torch.bfloat16).save_pretrained(tmp_path)
    assert lk.load(tmp_path, dtype="float32").model.dtype == torch.float32
    model = lk.load(tmp_path, dtype="bfloat16").model
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert model.rotary.frequencies.dtype == torch.float32


def test_a_tokenizer_comes_along(llama):
    write_tokenizer(llama, 96)
    tokenizer = lk.load(llama).tokenizer
    assert tokenizer("w5 w6")["input_ids"] == [5, 6]


def test_a_tokenizer_of_another_model_is_refused(llama):
    write_tokenizer(llama, 97)
    message = refusal(llama)
    assert "id 96" in message
    assert "vocab_size 96" in message


def test_a_damaged_tokenizer_is_refused(llama):
    (llama / "tokenizer.json").write_text('{"version": ')
    assert "tokenizer.json" in refusal(llama)


@pytest.mark.parametrize("where", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("backend", ["labkit", "transformers"])
def test_code_in_a_checkpoint_is_never_run(llama, where, backend):
    write_tokenizer(llama, 96)
    raw = json.loads((llama / where).read_text())
    (llama / where).write_text(json.dumps(raw | {"auto_map": {"AutoModelForCausalLM": "evil.Evil"}}))
    (llama / "evil.py").write_text("raise SystemExit('ran')")
    message = refusal(llama, backend=backend)
    assert "auto_map" in message
    assert where in message


@pytest.mark.parametrize("cut", [4, 100, 40_000])
@pytest.mark.parametrize("backend", ["labkit", "transformers"])
def test_truncated_weights_name_the_file(llama, cut, backend):
    file = llama / "model.safetensors"
    file.write_bytes(file.read_bytes()[:cut])
    assert str(file) in refusal(llama, backend=backend)


def test_numbers_that_are_none_name_the_tensor(llama):
    file = llama / "model.safetensors"
    tensors = load_file(file)
    tensors["model.norm.weight"][3] = float("nan")
    save_file(tensors, file)
    message = refusal(llama)
    assert "model.norm.weight" in message
    assert str(file) in message
    assert "model.norm.weight" in refusal(llama, backend="transformers")


@pytest.mark.parametrize("backend", ["labkit", "transformers"])
def test_a_missing_tensor_is_named(llama, backend):
    file = llama / "model.safetensors"
    tensors = load_file(file)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, file)
    assert "model.layers.1.mlp.up_proj.weight" in refusal(llama, backend=backend)


def test_missing_files_are_named(llama, tmp_path):
    (llama / "model.safetensors").rename(llama / "elsewhere")
    assert "no weights" in refusal(llama)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "config.json" in refusal(empty)
    assert "no folder" in refusal(tmp_path / "nothing here")
    assert "is a file" in refusal(llama / "config.json")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pth"])
def test_pickle_is_refused_unread(llama, name):
    (llama / "model.safetensors").unlink()
    (llama / name).write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    message = refusal(llama)
    assert "pickle" in message
    assert name in message
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hidden_size", 64),
        ("intermediate_size", 64),
        ("vocab_size", 100),
        ("num_key_value_heads", 4),
        ("head_dim", 16),
        ("num_hidden_layers", 1),
        ("num_hidden_layers", 3),
        ("attention_bias", True),
    ],
)
def test_a_config_that_lies_about_shapes_is_found_out(llama, field, value):
    edit(llama, **{field: value})
    message = refusal(llama)
    assert field in message or "lack the tensor" in message
    assert "model.safetensors" in message or str(llama) in message


@pytest.mark.parametrize(
    ("family", "field", "value"),
    [
        ("llama", "model_type", "gpt2"),
        ("llama", "hidden_act", "gelu"),
        ("llama", "vocab_size", "REMOVED"),
        ("llama", "vocab_size", -3),
        ("llama", "hidden_size", "32"),
        ("llama", "num_hidden_layers", 0),
        ("llama", "num_key_value_heads", 3),
        ("llama", "head_dim", 7),
        ("llama", "rms_norm_eps", 0),
        ("llama", "final_logit_softcapping", 30.0),
        ("llama", "partial_rotary_factor", 0.5),
        ("llama", "layer_types", ["full_attention", "sliding_attention"]),
        ("llama", "quantization_config", {"quant_method": "gptq"}),
        ("mixtral", "sliding_window", 4096),
        ("mixtral", "num_experts_per_tok", 9),
        ("qwen3", "use_sliding_window", True),
        ("llama", "rope_scaling", {"rope_type": "dynamic", "factor": 2.0}),
        ("llama", "rope_scaling", {"rope_type": "longrope", "factor": 2.0}),
        ("llama", "rope_scaling", {"type": "linear"}),
        ("llama", "rope_scaling", {"type": "linear", "factor": "two"}),
        ("llama", "rope_scaling", {"rope_type": "yarn", "factor": 2.0, "new_trick": 1}),
    ],
)
def test_an_unsupported_config_says_which_field(save_random, family, field, value):
    folder, _ = save_random(family)
    extra = {"sliding_window": 16} if field == "use_sliding_window" else {}
    edit(folder, **{field: value}, **extra)
    message = refusal(folder)
    named = {"rope_scaling": ("rope", "factor"), "use_sliding_window": ("sliding_window",)}.get(field, (field,))
    assert any(word in message for word in named), message
    assert "config.json" in message


def test_old_configs_say_the_same_in_other_words(save_random):
    folder, theirs = save_random("llama", rope_parameters={"rope_type": "linear", "rope_theta": 700.0, "factor": 4.0})
    edit(folder, rope_parameters="REMOVED", rope_theta=700.0, rope_scaling={"type": "linear", "factor": 4.0})
    tokens = torch.arange(3, 40)[None]
    with torch.no_grad():
        torch.testing.assert_close(lk.load(folder).model(tokens), theirs(tokens).logits, atol=1e-4, rtol=0)


def test_a_config_that_is_no_json_is_named(llama):
    (llama / "config.json").write_text("{")
    assert "config.json" in refusal(llama)
    (llama / "config.json").write_text("[1]")
    assert "config.json" in refusal(llama)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "cuda:99"}, "GPU"),
        ({"device": "meta"}, "no weights"),
        ({"device": "tpu9"}, "is no device"),
        ({"dtype": "float16", "device": "cpu"}, "thousand times slower"),
        ({"dtype": "int3"}, "dtype='int3'"),
        ({"backend": "jax"}, "backend='jax'"),
    ],
)
def test_impossible_wishes_are_refused(llama, options, words):
    assert words in refusal(llama, **options)


def test_a_flipped_bit_is_found_by_its_hash(llama, tmp_path):
    saved = lk.models.save(lk.load(llama).model, tmp_path / "saved")
    lk.load(saved)
    file = saved / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    for backend in ("labkit", "transformers"):
        message = refusal(saved, backend=backend)
        assert str(file) in message
        assert "sha256" in message
    file.unlink()
    save_file({"x": torch.zeros(1)}, saved / "other.safetensors")
    assert "model.safetensors is missing" in refusal(saved)


def test_values_beyond_fp16_are_refused_by_name(llama):
    from labkit.models.checkpoint import Checkpoint, read_json
    from labkit.models.families import read_config
    from labkit.models.filling import Reader, empty_decoder, fill

    file = llama / "model.safetensors"
    tensors = load_file(file)
    tensors["model.norm.weight"][3] = 1e6
    save_file(tensors, file)
    config = read_config(read_json(llama / "config.json"))
    with pytest.raises(LoadError, match=r"norm\.weight holds values beyond fp16"):
        fill(empty_decoder(config), Reader(config, Checkpoint(llama), torch.device("cpu"), torch.float16))


@pytest.mark.parametrize(("field", "value"), [("hidden_size", 64), ("num_hidden_layers", 3), ("vocab_size", 100)])
def test_transformers_may_not_invent_weights_either(llama, field, value):
    edit(llama, **{field: value})
    assert str(llama) in refusal(llama, backend="transformers")


def test_tensors_transformers_leaves_out_are_on_its_card(llama):
    edit(llama, num_hidden_layers=1)
    assert "found no place" in str(lk.load(llama, backend="transformers").card)


def test_a_hub_id_without_network_gives_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    (tmp_path / "models" / "course-tiny").mkdir(parents=True)
    (tmp_path / "models" / "course-tiny" / "config.json").write_text("{}")
    message = refusal("nobody/no-such-model")
    assert "HF_HUB_OFFLINE" in message
    assert "course-tiny" in message
    assert "\n" not in message
    monkeypatch.delenv("HF_HUB_OFFLINE")
    message = refusal("nobody/no-such-model")  # the suite has no network
    assert "course-tiny" in message
    assert "\n" not in message


def test_a_shipped_name_is_a_folder_of_the_course_and_is_verified(random_model, monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    folder = tmp_path / "models" / "course-tiny"
    lk.models.list_models()  # nothing there yet is a table without rows
    random_model("llama").save_pretrained(folder)
    for file in folder.iterdir():
        write_card(f"models/course-tiny/{file.name}", summary="random", source="this test", make="pytest")
    card = lk.load("course-tiny").card
    assert (card.name, card.source) == ("course-tiny", "shipped")
    assert lk.models.list_models().names == ["course-tiny"]
    assert "course-tiny" in str(lk.models.list_models())
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    message = refusal("course-tiny")
    assert str(weights) in message
    assert "sha256" in message


def test_importing_the_room_loads_no_torch():
    code = "import labkit, labkit.models, sys; assert not {'torch', 'transformers', 'bitsandbytes'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
