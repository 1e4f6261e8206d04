"""The timed proofs run through on small shapes and give plain data; what they say of speed is nobody's test."""

import json

import pytest

from labkit.sparsity import bench as proofs
from labkit.sparsity import bench_beside, bench_channels


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
    assert list(tmp_path.iterdir()) == []
