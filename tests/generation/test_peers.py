"""Adapters of other engines: each drives its library rightly (a stand-in around a decoder of ours), or says why not."""

import contextlib
import json
import sys

import pytest
import torch

from labkit.generation import bench_peers
from labkit.generation.peers import catalogue, llama_cpp, onnx_genai, openvino_genai, tools, vllm_cpu
from labkit.generation.peers.engine import Blocked, Job
from labkit.models import save
from tests.generation import fake_engines

PROMPTS = [[5, 9, 33, 2, 41], [7, 7, 60, 1, 3], [8, 30, 21, 50, 12]]


@pytest.fixture
def job(tmp_path):
    """A job whose conversions are done already."""
    for name in ("llama-F32.gguf", "openvino-fp32", "onnx-fp32"):
        (tmp_path / name).mkdir()
    (tmp_path / "onnx-fp32/genai_config.json").write_text(json.dumps({"model": {"decoder": {}}}))
    return lambda kind, **given: Job(**{"folder": tmp_path, "scratch": tmp_path, "kind": kind} | SIZES | given)


SIZES = {"threads": 1, "rows": 3, "length": 16}


@pytest.fixture
def started(job, monkeypatch):
    """`started(adapter, kind, names, fake)`: the adapter's engine, on a fake in the place of its library."""

    def start(adapter, kind, names, fake, **given):
        for name in names:
            monkeypatch.setitem(sys.modules, name, fake)
        return adapter.start(job(kind, **given))

    return start


ADAPTERS = {
    "llama.cpp": (llama_cpp, "F32", ("llama_cpp",), fake_engines.LlamaCpp),
    "OpenVINO GenAI": (openvino_genai, "fp32", ("openvino", "openvino_genai"), fake_engines.OpenVino),
    "ONNX Runtime GenAI": (onnx_genai, "fp32", ("onnxruntime_genai",), fake_engines.OnnxGenAI),
    "vLLM": (vllm_cpu, "float32", ("vllm",), fake_engines.Vllm),
}


@pytest.fixture(params=ADAPTERS)
def engine_and_fake(request, started, target, monkeypatch):
    for name in ("VLLM_ENABLE_V1_MULTIPROCESSING", "VLLM_CPU_OMP_THREADS_BIND", "VLLM_CPU_KVCACHE_SPACE"):
        monkeypatch.setenv(name, "")  # so that what the adapter sets is taken back
    for name in ("VLLM_NO_USAGE_STATS", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "1")
    adapter, kind, names, make = ADAPTERS[request.param]
    fake = make(target)
    return started(adapter, kind, names, fake), fake


@torch.inference_mode()
def test_the_last_logits_are_those_of_the_whole_prompt(engine_and_fake, target):
    engine, _ = engine_and_fake
    for prompt in PROMPTS:  # twice the same engine: it forgets the prompt before
        expected = target(torch.tensor([prompt]))[0, -1]
        torch.testing.assert_close(torch.tensor(engine.last_logits(prompt)), expected, rtol=1e-5, atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("rows", [1, 3])
def test_rows_are_written_greedily_with_one_reading_of_the_clock_a_token(engine_and_fake, target, rows):
    engine, fake = engine_and_fake
    ticks = iter(range(1000))
    for _ in range(2):
        times = engine.write(PROMPTS[:rows], 6, lambda: next(ticks))
        assert len(times) == 6
        written = fake.written.values() if isinstance(fake.written, dict) else fake.written
        for prompt, row in zip(PROMPTS[:rows], written, strict=True):
            expected = list(prompt)
            for _ in range(6):
                expected.append(int(target(torch.tensor([expected]))[0, -1].argmax()))
            assert row == expected[: len(row)]
            assert len(row) >= len(prompt) + 5  # whether the last token goes in again is the library's affair


def test_threads_and_room_reach_the_library(started, target, monkeypatch):
    for name in ("VLLM_CPU_OMP_THREADS_BIND",):
        monkeypatch.setenv(name, "")
    llama, openvino, onnx = (make(target) for *_, make in list(ADAPTERS.values())[:3])
    started(llama_cpp, "F32", ("llama_cpp",), llama, threads=2)
    assert (llama.settings.n_threads, llama.settings.n_threads_batch, llama.settings.n_seq_max) == (2, 2, 3)
    assert llama.settings.n_ctx >= 3 * 16
    started(openvino_genai, "fp32", ("openvino", "openvino_genai"), openvino, threads=2)
    assert openvino.properties["INFERENCE_NUM_THREADS"] == 2
    assert openvino.plan.max_num_batched_tokens >= 3 * 16
    started(onnx_genai, "fp32", ("onnxruntime_genai",), onnx, threads=2)
    assert onnx.config["model"]["decoder"]["session_options"]["intra_op_num_threads"] == 2


def test_what_a_library_refuses_is_blocked(started, target):
    engine = started(llama_cpp, "F32", ("llama_cpp",), fake_engines.LlamaCpp(target, code=1))
    with pytest.raises(Blocked, match="ended with 1"):
        engine.write(PROMPTS, 3, float)
    with pytest.raises(Blocked, match=r"^llama.cpp does not take the file: wrong number of tensors$"):
        started(llama_cpp, "F32", ("llama_cpp",), fake_engines.LlamaCpp(None))
    with pytest.raises(Blocked, match="bf16"):
        started(openvino_genai, "bf16", ("openvino", "openvino_genai"), fake_engines.OpenVino(target))


def test_a_converter_that_fails_leaves_nothing_and_says_why(job, monkeypatch):
    with pytest.raises(Blocked, match="no_such_module"):
        tools.run_module("no_such_module")
    unfinished = job("F32")

    def write(place):
        place.write_text("half")
        raise Blocked("it failed")

    with pytest.raises(Blocked):
        unfinished.converted("new", write)
    assert not (unfinished.scratch / "new").exists()
    assert unfinished.converted("new", lambda place: place.write_text("whole")).read_text() == "whole"
    assert unfinished.converted("new", write).read_text() == "whole"


@pytest.mark.parametrize("peer", catalogue.PEERS, ids=lambda peer: peer.adapter)
def test_a_missing_library_is_blocked_with_one_sentence(peer, monkeypatch, tmp_path):
    monkeypatch.setattr(catalogue, "SITES", tmp_path)
    gone = peer._replace(needs=("labkit_has_no_such_thing",), package="labkit-has-no-such-thing")
    with pytest.raises(Blocked, match=f"^{peer.label} is not installed: no package labkit_has_no_such_thing is found$"):
        gone.check_installed()
    assert catalogue.versions([gone]) == {peer.label: "blocked: not installed"}


def test_a_folder_of_its_own_is_looked_into(monkeypatch, tmp_path):
    monkeypatch.setattr(catalogue, "SITES", tmp_path)
    peer = catalogue.PEERS[0]._replace(needs=("only_there",), package="only-there")
    place = tmp_path / peer.adapter
    (place / "only_there-1.2.dist-info").mkdir(parents=True)
    (place / "only_there-1.2.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: only-there\nVersion: 1.2\n")
    (place / "only_there.py").touch()
    peer.check_installed()
    assert catalogue.versions([peer]) == {"llama.cpp": "1.2"}


class Engine:
    """What `running` gives the bench, around a decoder."""

    def __init__(self, model, mute=False):
        self.model, self.mute = model, mute

    def last_logits(self, tokens):
        if self.mute:
            raise Blocked("it tells no logits")
        with torch.inference_mode():
            return self.model(torch.tensor([tokens]))[0, -1]

    def write(self, prompt, steps, clock):
        if len(prompt) > 1:
            raise Blocked("one row only")
        return [1e-3] * steps


def test_the_bench_times_only_engines_with_the_right_logits(decoder, monkeypatch, tmp_path):
    monkeypatch.setattr(bench_peers, "ROUNDS", 1)
    monkeypatch.setattr(bench_peers, "STEPS", 6)
    model = decoder(hidden_size=64, intermediate_size=96, head_dim=16, std=0.15)
    engines = {"right": Engine(model), "wrong": Engine(decoder(1, vocab_size=64)), "mute": Engine(model, mute=True)}

    @contextlib.contextmanager
    def running(peers, **job):
        assert all(kind not in ("Q8_0", "int8", "int4") for _, kind in peers.values())
        yield engines, {"absent": "it is not installed"}

    monkeypatch.setattr(bench_peers, "running", running)
    found = bench_peers.beside_transformers(save(model, tmp_path))
    assert found[bench_peers.QUALITY]["right"]["cosine"] > 0.99999
    race = found["batch 1, 1 thread, CPU time"]
    assert race["right"]["ms a step"] == pytest.approx(1)
    assert race["transformers fp32"]["ratio"] == 1
    assert race["wrong"]["blocked"].startswith("not timed: its logits' cosine")
    assert race["mute"] == {"blocked": "it tells no logits"}
    assert race["absent"] == {"blocked": "it is not installed"}
    assert found["batch 16, all threads, wall time"]["right"] == {"blocked": "one row only"}
    assert json.loads(json.dumps(found)) == found
