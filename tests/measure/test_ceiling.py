"""`ceilings()` remembers, forgets what is damaged and never fails because of its cache: with a made-up instrument."""

from __future__ import annotations

import json
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.measure import ceiling_cache, ceilings
from labkit.measure.ceiling_cpu import capacities
from labkit.measure.machines import machine
from labkit.measure.processors import Cache, Processor
from labkit.measure.quiet import Snapshot, judge, others, snapshot
from tests.measure.test_ceiling_report import MACHINE


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    return tmp_path


class Instrument:
    def __init__(self):
        self.cards = []

    def __call__(self, card):
        self.cards.append(card)
        return MACHINE


def test_measured_once_then_read(cache):
    instrument = Instrument()
    first, second = (ceilings("cpu", measure=instrument) for _ in range(2))
    assert first == second == MACHINE
    assert len(instrument.cards) == 1
    assert len(list(cache.iterdir())) == 1
    ceilings("cpu", measure=instrument, refresh=True)
    assert len(instrument.cards) == 2


def test_another_machine_is_measured_anew(cache, monkeypatch):
    instrument = Instrument()
    ceilings("cpu", measure=instrument)
    monkeypatch.setattr("labkit.measure.machines.processor", lambda: Processor("Another"))
    ceilings("cpu", measure=instrument)
    assert len(instrument.cards) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"format": 0}'])
def test_a_damaged_file_is_told_once_and_measured_anew(cache, text):
    instrument = Instrument()
    ceilings("cpu", measure=instrument)
    (file,) = cache.iterdir()
    file.write_text(text, encoding="utf-8")
    with pytest.warns(UserWarning, match="measured anew") as told:
        assert ceilings("cpu", measure=instrument) == MACHINE
    assert len(told) == 1
    assert len(instrument.cards) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ceilings("cpu", measure=instrument) == MACHINE


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_no_damage_gives_an_exception_or_half_a_result(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("cache") / "ceilings.json"
    ceiling_cache.save(path, MACHINE)
    plain = json.loads(path.read_text(encoding="utf-8"))
    field = data.draw(st.sampled_from(sorted(plain)))
    plain[field] = data.draw(st.sampled_from([None, [], {}, "text", [None], [{}]]))
    path.write_text(json.dumps(plain), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = ceiling_cache.load(path)
    assert loaded is None or str(loaded)


def test_a_folder_that_cannot_be_written_costs_only_the_measurement(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "file"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ceilings("cpu", measure=Instrument()) == MACHINE


def test_without_the_variable_the_users_own_folder_is_used(monkeypatch):
    monkeypatch.delenv("LABKIT_CACHE", raising=False)
    assert "labkit" in ceiling_cache.cache_folder().parts


def test_unknown_devices_are_refused():
    with pytest.raises(ValueError, match="'cpu' and 'cuda'"):
        ceilings("tpu")


@pytest.mark.skipif(machine().gpu is not None, reason="only without a GPU")
def test_a_gpu_that_is_not_here_is_blocked(cache):
    with pytest.raises(ValueError, match="blocked"):
        ceilings("cuda")


def test_capacities_grow_with_threads_until_all_caches_are_in_use():
    from dataclasses import replace

    caches = (Cache("L1d", 32 << 10, 128 << 10), Cache("L2", 512 << 10, 2 << 20), Cache("L3", 16 << 20, 16 << 20))
    card = replace(machine(), caches=caches, memory_bytes=8 << 30)
    one, all_four = ([(c.name, c.capacity_bytes, c.probe_bytes) for c in capacities(card, t, 1 << 28)] for t in (1, 4))
    assert one == [("L2", 512 << 10, 128 << 10), ("L3", 16 << 20, 2 << 20), ("memory", 8 << 30, 1 << 28)]
    assert all_four == [("L2", 2 << 20, 512 << 10), ("L3", 16 << 20, 8 << 20), ("memory", 8 << 30, 1 << 28)]
    unknown = replace(card, caches=())
    assert [c.name for c in capacities(unknown, 1, 1 << 28)] == ["memory"]


def test_others_are_what_we_did_not_use():
    before, after = Snapshot(machine=100, own=10, wall=0), Snapshot(machine=118, own=16, wall=10)
    assert others(before, after) == pytest.approx(1.2)
    assert others(before, Snapshot(machine=100, own=16, wall=10)) == 0  # a system that does not tell
    assert others(snapshot(), snapshot()) >= 0


def test_either_sign_is_enough():
    assert judge(0.0, 1.0)[0]
    assert not judge(1.0, 1.0)[0]
    assert "differed by 50 %" in judge(0.0, 1.5)[1]
