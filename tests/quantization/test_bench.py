"""The timed proofs run through on small shapes and give plain data; what they say of speed is nobody's test."""

import importlib.util
import json

import pytest
import torch

from labkit.models import DecoderConfig
from labkit.quantization import bench as proofs
from labkit.quantization import bench_linears
from labkit.quantization.bench_bars import decoding_bars, linear_bars
from labkit.quantization.bench_peers import PEERS, ours

SATURATED = ("torch linear_dynamic", "torch qlinear_pointwise")
"""Without VNNI, oneDNN's sums of bytes run full."""


@pytest.mark.parametrize("scheme", PEERS)
def test_every_peer_multiplies_by_the_weight(scheme):
    torch.manual_seed(0)
    weight, x = torch.randn(128, 256), torch.randn(4, 256)
    peers = PEERS[scheme] | {scheme: ours(scheme)}
    for name, peer in peers.items():
        if name.startswith("torchao") and importlib.util.find_spec("torchao") is None:
            continue
        bound = 0.12 if scheme.startswith("w4") else 0.06 if name in SATURATED else 0.012
        layers = peer.copies(weight, 2)
        for layer in layers:
            found = layer(x.to(peer.dtype)).double()
            assert (found - x.double() @ weight.double().T).norm() / (x @ weight.T).norm() < bound, name


@pytest.mark.slow
def test_every_proof_gives_plain_data(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_linears, "SIZES", (128,))
    monkeypatch.setattr(bench_linears, "ROWS", (1, 5))
    monkeypatch.setattr(bench_linears, "ROUNDS", 5)
    monkeypatch.setattr(bench_linears, "_copies", lambda nbytes: 3)
    tiny = DecoderConfig("llama", 96, 64, 96, 2, 4, 2, 16, 1e-6, 256)
    monkeypatch.setattr("labkit.generation.bench.LLAMA_44M", tiny)
    monkeypatch.setattr("labkit.generation.bench_peers.STEPS", 6)
    monkeypatch.setattr("labkit.generation.bench_peers.ROUNDS", 1)
    monkeypatch.setattr("labkit.generation.bench_peers.kinds", lambda few_bits: {})  # whatever is installed here
    monkeypatch.setattr(proofs, "trained", lambda name: None)
    found = json.loads(json.dumps(proofs.bench(tmp_path)))
    rows = found["linears, 1 thread"]
    assert [(r["scheme"], r["M"]) for r in rows[:4]] == [("w4a16", 1), ("w4a16", 5), ("w4a8", 1), ("w4a8", 5)]
    assert all(row["error"] < 0.15 and row["ratio to the best of theirs"] > 0 for row in rows)
    assert all(("share of read bandwidth" in row) == (row["M"] == 1) for row in rows)
    sizes = found["random Llama, 44 M"]["weight bytes a step"]
    assert sizes["lean w4a8"] < sizes["lean w8a8"] < sizes["lean fp32"] / 3
    quality = found["random Llama, 44 M"]["quality against transformers fp32"]
    assert all(one["cosine"] > 0.9 for one in quality.values())
    assert [row["promise"] for row in found["random Llama, 44 M"]["bars"]] == [f"decoding in {n} bits" for n in (8, 4)]
    assert len(found["bars of linears, all threads"]) == 4 + 2
    assert found["course-dense"] == {"blocked": "course-dense is not trained yet"}


def _cell(scheme, rows, ratio, high, share):
    against = {"slow": {"ratio": 3.0, "interval": [2.9, 3.1]}, "fast": {"ratio": ratio, "interval": [0.9, high]}}
    row = {
        "scheme": scheme,
        "N = K": 2048,
        "M": rows,
        "ratio to the best of theirs": ratio,
        "share of read bandwidth": share,
    }
    return row | {"against": against | {"absent": {"blocked": "not installed"}}}


def test_linears_are_held_against_the_best_library_and_the_bandwidth():
    cells = [_cell("w4a8", 1, 1.4, 1.5, 0.8), _cell("w4a8", 4, 0.97, 1.02, None), _cell("w8a8", 1, 0.8, 0.9, 0.5)]
    beside_4, beside_8, bandwidth = linear_bars(cells)
    assert (beside_4["M"], beside_4["best"], beside_4["reached"], beside_4["holds"]) == (4, "fast", 0.97, True)
    assert not beside_8["holds"]
    assert (bandwidth["scheme"], bandwidth["holds"]) == ("w4a8", True)
    assert not linear_bars([_cell("w4a16", 1, 1.4, 1.5, 0.7)])[1]["holds"]


def test_decoding_counts_where_the_logits_hold():
    def bars(fast_cosine, speed=13.0):
        quality = {"lean fp32": 1.0, "lean w4a16": 0.97, "lean w4a8": fast_cosine, "lean w8a8": 0.9995}
        ratios = {"lean fp32": 2.5, "lean w4a16": 9.0, "lean w4a8": speed, "lean w8a8": 8.3}
        found = {"quality against transformers fp32": {name: {"cosine": cosine} for name, cosine in quality.items()}}
        return decoding_bars(found | {"batch 1, 1 thread, CPU time": {n: {"ratio": r} for n, r in ratios.items()}})

    assert [(row["variant"], row["holds"]) for row in bars(0.95)] == [("lean w8a8", True), ("lean w4a8", True)]
    assert [(row["variant"], row["holds"]) for row in bars(0.90)] == [("lean w8a8", True), ("lean w4a16", False)]
    assert not bars(0.95, speed=12.0)[1]["holds"]
