"""The timed proofs run through on tiny sizes and give plain data; what they say of speed is nobody's test."""

import json

import pytest

from labkit.throughput import bench as proofs


@pytest.mark.slow
def test_every_proof_gives_plain_data(tmp_path, monkeypatch):
    monkeypatch.setattr(proofs, "REQUESTS", 60)
    monkeypatch.setattr(proofs, "SERVICE", 0.005)
    monkeypatch.setattr(proofs, "LOADS", (0.3,))
    monkeypatch.setattr(proofs, "RATES", (100,))
    found = json.loads(json.dumps(proofs.bench(tmp_path)))
    _, known, (wait,), (limit,) = found.values()
    assert known["seconds in service"] > 0.0049
    assert wait["foretold"] == pytest.approx(0.3 / 0.7 / 2 * known["seconds in service"])
    assert wait["interval"][0] <= wait["measured"] <= wait["interval"][1]
    assert limit["requests a second"] == 100
    assert limit["processor seconds a token"] > 0
    assert list(tmp_path.iterdir()) == []
