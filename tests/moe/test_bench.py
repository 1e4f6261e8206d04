"""The timed proofs run through on small shapes and give plain data; what they say of speed is nobody's test."""

import json

import pytest

from labkit.moe import bench as proofs
from labkit.moe import bench_dispatch
from labkit.moe.bench_bars import bars


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
    dispatch, cliff, offloading, held = (found[key] for key in list(found)[3:])
    assert [(r["shape"], r["tokens"]) for r in dispatch[::2]] == [(s, n) for s in shapes for n in (1, 16)]
    blocked = [r["against"]["batched_mm"] for r in dispatch if "blocked" in r["against"]["batched_mm"]]
    assert len(blocked) == 2, "16 tokens of the second shape copy more than is allowed here"
    assert all(row["foretold"] == pytest.approx(1) for row in cliff if row["tokens"] == 1)
    assert [row["held"] for row in offloading] == [8, 16, 32, 64]
    assert offloading[0]["hit rate"] <= offloading[-1]["hit rate"]
    assert len(held) == 8 + 2, "a bar for each cell, and one for the single token of each shape"
    assert list(tmp_path.iterdir()) == []


def _cell(high, share=0.7):
    against = {"eager": {"ratio": 3.0, "interval": [2.0, 4.0]}, "grouped_mm": {"ratio": 0.97, "interval": [0.9, high]}}
    where = {"shape": "8 experts, top 2", "tokens": 1, "way": "forward"}
    return where | {"against": against | {"batched_mm": {"blocked": "too large"}}, "share of bandwidth": share}


def test_dispatch_is_held_against_the_best_backend_and_a_single_token_against_the_bandwidth():
    race, fetched = bars([_cell(1.01)])
    assert (race["best"], race["reached"], race["holds"], fetched["holds"]) == ("grouped_mm", 0.97, True, True)
    assert not bars([_cell(0.99)])[0]["holds"]
    assert not bars([_cell(1.01, share=0.59)])[1]["holds"]
