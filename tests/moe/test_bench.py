"""The timed proofs run through on small shapes and give plain data; what they say of speed is nobody's test."""

import json

import pytest

from labkit.moe import bench as proofs
from labkit.moe import bench_dispatch


@pytest.mark.slow
def test_every_proof_gives_plain_data(tmp_path, monkeypatch):
    shapes = {"8 experts, top 2": (8, 2, 32), "64 experts, top 8": (64, 8, 16)}
    for module in (proofs, bench_dispatch):
        monkeypatch.setattr(module, "HIDDEN", 64)
        monkeypatch.setattr(module, "SHAPES", shapes)
    monkeypatch.setattr(bench_dispatch, "TOKENS", (1, 16))
    monkeypatch.setattr(bench_dispatch, "MOST_GATHERED", 1 << 19)
    monkeypatch.setattr(proofs, "BATCHES", [1, 4])
    monkeypatch.setattr(proofs, "STEPS", 4)
    found = json.loads(json.dumps(proofs.bench(tmp_path)))
    dispatch, cliff, offloading = (found[key] for key in list(found)[3:])
    assert [(r["shape"], r["tokens"]) for r in dispatch[::2]] == [(s, n) for s in shapes for n in (1, 16)]
    blocked = [r["against"]["batched_mm"] for r in dispatch if "blocked" in r["against"]["batched_mm"]]
    assert len(blocked) == 2, "16 tokens of the second shape copy more than is allowed here"
    assert all(row["foretold"] == pytest.approx(1) for row in cliff if row["tokens"] == 1)
    assert [row["held"] for row in offloading] == [8, 16, 32, 64]
    assert offloading[0]["hit rate"] <= offloading[-1]["hit rate"]
    assert list(tmp_path.iterdir()) == []
