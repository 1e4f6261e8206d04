"""Devices and dtypes for machines that are not this one: the questions torch is asked are answered by the test."""

import psutil
import pytest
import torch

from labkit.models import LoadError, placement, planning, theirs
from labkit.models.checkpoint import read_json
from labkit.models.placement import bf16_is_fast
from labkit.models.sources import Source

GPU = torch.device("cuda", 0)


@pytest.fixture
def two_gpus(monkeypatch):
    """Two GPUs of 1 and 3 MB of free memory."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    free = (1 << 20, 3 << 20)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free[getattr(device, "index", device)], 4 << 20))


@pytest.mark.parametrize(
    ("capability", "dtype"), [((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)]
)
def test_auto_dtype_on_a_gpu_follows_its_generation(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert placement.choose_dtype("auto", GPU) == dtype


@pytest.mark.parametrize(("fast", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_dtype_on_a_cpu_follows_what_it_is_fast_at(monkeypatch, fast, dtype):
    monkeypatch.setattr(placement, "bf16_is_fast", lambda: fast)
    assert placement.choose_dtype("auto", torch.device("cpu")) == dtype


def test_a_cpu_without_the_instructions_is_not_fast_in_bf16(monkeypatch):
    monkeypatch.setattr(placement, "_seconds", lambda dtype: {torch.bfloat16: 1.0, torch.float32: 2.0}[dtype])
    supported = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    assert bf16_is_fast.__wrapped__() == supported


@pytest.mark.parametrize("name", ["bf16", "bfloat16", torch.bfloat16, "torch.bfloat16"])
def test_a_dtype_may_be_spelt_in_several_ways(name):
    assert placement.choose_dtype(name, torch.device("cpu")) == torch.bfloat16


def test_fp16_is_for_gpus_only():
    assert placement.choose_dtype("float16", GPU) == torch.float16
    with pytest.raises(LoadError, match="thousand times slower"):
        placement.choose_dtype(torch.float16, torch.device("cpu"))


def test_auto_takes_the_freest_gpu(two_gpus):
    assert placement.choose_device("auto") == torch.device("cuda", 1)
    assert placement.choose_device("cuda") == GPU
    with pytest.raises(LoadError, match="2 CUDA GPUs"):
        placement.choose_device("cuda:2")


def test_memory_stays_within_the_machine_and_the_container(tmp_path):
    assert 0 < placement.available_bytes(torch.device("cpu")) <= psutil.virtual_memory().total
    for name, text in (
        ("memory.max", "1000"),
        ("memory.current", "700"),
        ("memory.stat", "anon 600\ninactive_file 50"),
    ):
        (tmp_path / name).write_text(text)
    assert placement._container_bytes(tmp_path) == [350]
    (tmp_path / "memory.max").write_text("max")
    assert placement._container_bytes(tmp_path) == []
    assert placement._container_bytes(tmp_path / "nowhere") == []


def test_a_model_too_big_for_one_gpu_is_spread_or_the_way_is_told(save_random, two_gpus):
    """1.5 MB at the worst moment: too big for the first GPU, not for both."""
    folder, _ = save_random("llama", hidden_size=128, intermediate_size=512, vocab_size=512)
    source, raw = Source("big", "local", folder), read_json(folder / "config.json")
    assert theirs._plan(source, raw, None, torch.bfloat16, GPU, automatic=True) is True
    assert theirs._plan(source, raw, None, torch.bfloat16, torch.device("cuda", 1), automatic=True) is False
    with pytest.raises(LoadError, match=r"backend='transformers'.*2 GPUs with accelerate"):
        theirs._plan(source, raw, None, torch.bfloat16, GPU, automatic=False)


def test_the_plan_for_all_gpus_adds_their_memory(two_gpus, save_random):
    from labkit.models.families import read_config

    config = read_config(read_json(save_random("llama")[0] / "config.json"))
    plan = planning.make_plan("x", config, torch.bfloat16, None, GPU, 0)
    assert planning.on_all_gpus(plan).available == 4 << 20
