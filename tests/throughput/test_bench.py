"""The timed proofs run through on tiny sizes and give plain data; what they say of speed is nobody's test."""

import json
import sys

import pytest

from labkit.models.config import DecoderConfig
from labkit.throughput import bench as proofs
from labkit.throughput import bench_served


@pytest.mark.slow
def test_every_proof_gives_plain_data(tmp_path, monkeypatch):
    monkeypatch.setattr(proofs, "REQUESTS", 60)
    monkeypatch.setattr(proofs, "SERVICE", 0.005)
    monkeypatch.setattr(proofs, "LOADS", (0.3,))
    monkeypatch.setattr(proofs, "RATES", (100,))
    monkeypatch.setattr(proofs, "bench_served", lambda out: {"where": str(out)})
    found = json.loads(json.dumps(proofs.bench(tmp_path)))
    _, known, (wait,), (limit,), served = found.values()
    assert served == {"where": str(tmp_path)}
    assert known["seconds in service"] > 0
    assert wait["foretold"] == pytest.approx(0.3 / 0.7 / 2 * known["seconds in service"])
    assert wait["interval"][0] <= wait["measured"] <= wait["interval"][1]
    assert limit["requests a second"] == 100
    assert limit["processor seconds a token"] > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="blocked: the first thread of a process has no known number")
def test_a_server_of_its_own_is_loaded_and_its_threads_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_served, "LLAMA_44M", DecoderConfig("llama", 64, 64, 96, 2, 4, 2, 16, 1e-6, 256))
    monkeypatch.setattr(bench_served, "trained", lambda name: None)
    monkeypatch.setattr(bench_served, "USERS", (1, 16))
    monkeypatch.setattr(bench_served, "REQUESTS_A_USER", 2)
    found = json.loads(json.dumps(bench_served.bench_served(tmp_path)))
    assert found["course-dense"] == {"blocked": "course-dense is not trained yet"}
    rows, [bar] = found["random Llama with the course's vocabulary"].values()
    assert [row["users"] for row in rows] == [1, 16]
    assert rows[0]["times one user"] == 1
    assert all(row["tokens/s"] > 0 and row["all else, processor seconds a token"] > 0 for row in rows)
    assert bar["reached"] == rows[1]["all else by model"]
    assert list(tmp_path.iterdir()) == []
