"""The timed proofs run through on small shapes and give plain data; what they say of speed is nobody's test."""

import json

import pytest

from labkit.sparsity import bench as proofs
from labkit.sparsity import bench_beside, bench_channels
from labkit.sparsity.bench_bars import bars


@pytest.mark.slow
def test_every_proof_gives_plain_data(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.setattr(proofs, "SHAPES", ((64, 48),))
    monkeypatch.setattr(proofs, "DENSITIES", (0.2, 1.0))
    monkeypatch.setattr(proofs, "ROWS", (1, 4))
    monkeypatch.setattr(proofs, "CSR_SHAPE", (64, 48))
    monkeypatch.setattr(proofs, "CSR_DENSITIES", (0.1, 0.5))
    monkeypatch.setattr(bench_beside, "WEIGHT_BYTES", 1 << 14)
    monkeypatch.setattr(bench_channels, "WIDTHS", (8, 8, 8))
    monkeypatch.setattr(bench_channels, "EPOCHS", 1)
    monkeypatch.setattr(bench_channels, "FINE_TUNING", 1)
    found = json.loads(json.dumps(proofs.bench(tmp_path)))
    skipped = found["skipping inactive inputs"]
    assert [(r["density"], r["rows"]) for r in skipped] == [(0.2, 1), (1.0, 1), (0.3, 4)]
    assert all(r["loses from rows"] >= 1 for r in skipped)
    assert [r["rows"] for r in found["2:4 packed"]] == [1, 4]
    assert found["2:4 packed"][0]["foretold"] == pytest.approx(16 / 9)
    assert [r["density"] for r in found["CSR at batch 1"]] == [0.1, 0.5]
    assert found["2:4 bytes over dense fp16"][0]["in memory"] == pytest.approx(9 / 16)
    assert [r["widths"] for r in found["channels of a convolution network"]] == [[6] * 3, [4] * 3, [2] * 3]
    assert {row["promise"] for row in found["bars"]} >= {"2:4 bytes over dense fp16", "half of the channels"}
    assert list(tmp_path.iterdir()) == []


def _found(memory=0.5625, disk=0.565, speed=3.2, fine_tuned=0.97, torchs=1.9, streamed=1.6, foretold=3.1, rows=1):
    speeds = [{"images": 256, "ratio": speed}, {"images": 1, "ratio": 1.2}]
    cell = {"in": 4096, "out": 4096, "density": 0.3, "rows": rows, "foretold": foretold}
    return {
        "2:4 bytes over dense fp16": [{"in": 64, "out": 64, "in memory": memory, "on disk": disk}],
        "channels of a convolution network": [
            {"density": 0.25, "speed": speeds, "accuracy": {"whole": 0.98, "fine-tuned": 0.5}},
            {"density": 0.5, "speed": speeds, "accuracy": {"whole": 0.98, "fine-tuned": fine_tuned}},
        ],
        "skipping inactive inputs": [cell | {"torch bf16": {"ratio": torchs}, "packed bf16": {"ratio": streamed}}],
    }


def test_the_bars_hold_where_every_part_of_a_promise_does():
    rows = bars(_found())
    assert [row["reached"] for row in rows] == [0.565, 3.2, 1.6]
    assert all(row["holds"] for row in rows)


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (0, {"memory": 0.58}),
        (0, {"disk": 0.58}),
        (1, {"speed": 2.9}),
        (1, {"fine_tuned": 0.955}),
        (2, {"torchs": 1.4}),
        (2, {"streamed": 1.4}),
    ],
)
def test_a_bar_falls_with_each_of_its_parts(place, change):
    assert [n for n, row in enumerate(bars(_found(**change))) if not row["holds"]] == [place]


@pytest.mark.parametrize("change", [{"foretold": 2.9}, {"rows": 2}])
def test_no_speed_is_promised_where_the_formula_foretells_little_or_rows_share_a_step(change):
    assert [row["promise"] for row in bars(_found(**change))] == ["2:4 bytes over dense fp16", "half of the channels"]
