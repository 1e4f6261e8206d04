"""An engine in a process of its own: asked over a pipe, blocked when it fails, dies or hangs. No library is needed."""

import time

import pytest
import torch

from labkit.generation.peers import catalogue
from labkit.generation.peers.engine import Blocked, Job
from labkit.generation.peers.process import EngineProcess, running

LIBRARY = """
import os, time

print("libraries talk")  # and must not spoil the answers


class Model:
    def __init__(self, folder):
        pass


class GeneratorParams:
    def __init__(self, model):
        pass

    def set_search_options(self, **options):
        pass


class Generator:
    def __init__(self, model, settings):
        self.last = 0

    def append_tokens(self, tokens):
        self.last = int(tokens[-1, -1])

    def get_logits(self):
        return [[0.5, float(self.last), float(os.environ["OMP_NUM_THREADS"])]]

    def generate_next_token(self):
        if self.last == 7:
            raise ValueError("seven is too many\\nand more lines")
        if self.last == 8:
            print("out of memory", flush=True)
            os._exit(3)
        if self.last == 9:
            time.sleep(60)
"""


@pytest.fixture
def peer(monkeypatch, tmp_path):
    """ONNX Runtime GenAI in name only: its adapter, on a library that stands in its folder of packages."""
    monkeypatch.setattr(catalogue, "SITES", tmp_path / "sites")
    site = tmp_path / "sites/onnx_genai"
    site.mkdir(parents=True)
    (site / "onnxruntime_genai.py").write_text(LIBRARY)
    folder = tmp_path / "onnx-fp32"
    folder.mkdir()
    (folder / "genai_config.json").write_text('{"model": {"decoder": {}}}')
    return catalogue.PEERS[2]._replace(needs=("onnxruntime_genai",))


@pytest.fixture
def start(peer, tmp_path):
    """`start(patience=30)`: the engine, closed at the end."""
    engines = []

    def make(patience=60.0):
        engines.append(EngineProcess(peer, Job(tmp_path, "fp32", tmp_path, 3, 2, 16), patience))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


def test_logits_and_times_come_back(start):
    engine = start()
    assert engine.last_logits([4, 5]).tolist() == [0.5, 5, 3]
    for clock in (time.perf_counter, time.thread_time):
        steps = engine.write(torch.tensor([[1, 2], [3, 4]]), 10, clock)
        assert len(steps) == 10
        assert all(0 <= step < 60 for step in steps)


def test_an_error_blocks_one_answer_only(start):
    engine = start()
    with pytest.raises(Blocked, match=r"^ValueError: seven is too many$"):
        engine.write(torch.tensor([[7]]), 1, time.perf_counter)
    assert engine.last_logits([3, 4])[1] == 4


def test_a_death_is_told_with_its_last_words(start):
    engine = start()
    with pytest.raises(Blocked, match=r"^its process ended with 3: out of memory$"):
        engine.write(torch.tensor([[8]]), 1, time.perf_counter)
    with pytest.raises(Blocked, match="its process ended with 3"):
        engine.last_logits([4])


def test_a_hang_is_ended(start):
    engine = start()
    engine._patience = 0.2
    with pytest.raises(Blocked, match="its process ended with -9"):
        engine.write(torch.tensor([[9]]), 1, time.perf_counter)


def test_those_that_do_not_start_are_told_apart(peer, tmp_path):
    broken = peer._replace(adapter="openvino_genai", needs=())  # nothing of that name can be imported
    missing = peer._replace(needs=("labkit_has_no_such_thing",))
    job = {"folder": tmp_path, "scratch": tmp_path, "threads": 1, "rows": 1, "length": 8}
    with running({"a": (peer, "fp32"), "b": (broken, "fp32"), "c": (missing, "fp32")}, **job) as (started, blocked):
        assert list(started) == ["a"]
        assert blocked["c"] == "ONNX Runtime GenAI is not installed: no package labkit_has_no_such_thing is found"
        assert "openvino" in blocked["b"]
