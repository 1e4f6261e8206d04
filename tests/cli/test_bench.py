"""`labkit bench`: one room or all, and a record with its card."""

import json
import sys
import types

import pytest

from labkit.cli import bench


@pytest.fixture
def two_rooms(monkeypatch, tmp_path):
    asked = []
    for name in ("first", "second"):
        module = types.ModuleType(f"room_{name}")
        module.bench = lambda out, name=name: asked.append(name) or {"ratio": 2.5, "room": name}
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(bench, "BENCHES", {"first": "room_first", "second": "room_second"})
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "data"))
    return asked


def test_all_rooms_run_unless_some_are_named(two_rooms, tmp_path):
    bench.run(tmp_path / "out")
    assert two_rooms == ["first", "second"]
    bench.run(tmp_path / "out", ["second"])
    assert two_rooms == ["first", "second", "second"]
    assert json.loads((tmp_path / "out/first.json").read_text())["ratio"] == 2.5
    assert not list((tmp_path / "data").iterdir())


def test_a_record_is_the_result_and_a_card_that_says_when_and_where(two_rooms, tmp_path):
    bench.run(tmp_path / "out", ["first"], record="two-cores")
    kept = tmp_path / "data/reference/first-two-cores.json"
    assert kept.read_bytes() == (tmp_path / "out/first.json").read_bytes()
    told = json.loads((tmp_path / "data/cards/reference/first-two-cores.json.json").read_text())
    assert "torch" in told["source"]
    assert told["make"].startswith("labkit bench first --record two-cores")


def test_a_room_that_does_not_exist_is_refused_before_anything_runs(two_rooms, tmp_path):
    with pytest.raises(ValueError, match="third"):
        bench.run(tmp_path / "out", ["first", "third"])
    assert not two_rooms
