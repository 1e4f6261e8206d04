"""The timed proofs run through on a tiny model and give plain data; what they say of speed is nobody's test."""

import json

import pytest
import torch

from labkit.generation import bench_peers
from labkit.models import save
from labkit.models.decoder import Decoder
from labkit.serving import bench as proofs
from tests.serving.decoders import LEAN, decoder


@pytest.mark.slow
def test_every_engine_is_judged_raced_and_taken_apart(tmp_path, monkeypatch):
    for module in (bench_peers, proofs):
        monkeypatch.setattr(module, "STEPS", 12)
    monkeypatch.setattr(bench_peers, "ROUNDS", 1)
    torch.manual_seed(0)
    found = json.loads(json.dumps(proofs.beside_generate(save(Decoder(LEAN), tmp_path))))
    judged, by_cpu, by_wall, parts, bars = found.values()
    assert judged["fp32"]["cosine"] > 0.99999
    assert judged["int8"]["cosine"] > 0.99
    for race in (by_cpu, by_wall):
        assert set(race) == {"transformers fp32", "fp32", "bf16", "int8"}
        assert race["transformers fp32"]["ratio"] == 1
    assert all(0 < part[name] < 1 for part in parts.values() for name in ("scheduling", "paging"))
    assert [bar["promise"] for bar in bars] == ["16 at once, bf16", "16 at once, int8"]


@torch.no_grad()
def test_what_is_judged_is_a_decode_step():
    model, tokens = decoder("lean"), torch.randint(0, 64, (1, 21))
    served = proofs.Served(model, torch.float32)
    torch.testing.assert_close(proofs.decoded(served, tokens), model(tokens)[:, -1], atol=1e-4, rtol=0)


def test_a_bar_needs_speed_and_quality_and_little_bookkeeping():
    speed, judged = {"bf16": {"ratio": 5.0}}, {"bf16": {"cosine": 0.9999}}
    small = {"scheduling": 0.01, "paging": 0.01}
    assert proofs._bar("bf16", speed, judged, small)["holds"]
    assert not proofs._bar("bf16", {"bf16": {"ratio": 4.0}}, judged, small)["holds"]
    assert not proofs._bar("bf16", speed, {"bf16": {"cosine": 0.99}}, small)["holds"]
    assert not proofs._bar("bf16", speed, judged, {"scheduling": 0.04, "paging": 0.02})["holds"]
