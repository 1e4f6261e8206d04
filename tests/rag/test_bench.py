"""The timed proofs run through on small shapes and give plain data; what they say of speed is nobody's test."""

import json

import pytest
import torch

pytest.importorskip("lancedb")

from labkit.models.config import DecoderConfig
from labkit.models.decoder import Decoder
from labkit.rag import bench as proofs
from labkit.rag.bars import Bars
from labkit.rag.course import course_documents
from labkit.rag.prefix_trial import prefix_trial
from labkit.rag.trial import RetrievalTrial


@pytest.mark.slow
def test_every_proof_gives_plain_data(tmp_path, monkeypatch):
    ivf, packed = {"ivf": (1, 32)}, {"ivf-pq": (33,)}
    monkeypatch.setattr(proofs, "SIZES", ((1024, 16, ivf, ivf), (1100, 16, packed, {})))
    monkeypatch.setattr(proofs, "AT", {**proofs.AT, "vectors": 1024})
    monkeypatch.setattr(proofs, "QUESTIONS", 4)
    monkeypatch.setattr(proofs, "SHARING", 2)
    monkeypatch.setattr(proofs, "PROMISES", 3)
    monkeypatch.setattr(proofs, "SHOWN", (1, 2))
    # the whole corpus would be encoded twice; the trial of retrievers has a test of its own
    monkeypatch.setattr(proofs, "course_documents", lambda world, edition: course_documents(world, edition)[:200])
    monkeypatch.setattr(proofs, "retrieval_trial", lambda *_, **__: RetrievalTrial("none", 0, ()))
    monkeypatch.setattr(proofs, "retrieval_bars", lambda *_, **__: Bars(()))
    found = json.loads(json.dumps(proofs.bench(tmp_path)))
    first, second = found["index"]
    assert [t["effort"]["effort"] for t in first["trades"]] == [1, 32]
    assert first["trades"][1]["recall"]["value"] == 1
    assert second["built"][0]["nbytes"] < first["built"][0]["nbytes"]
    assert isinstance(found["bar"][0]["holds"], bool)
    assert found["ingest"]["chunks"] >= found["ingest"]["documents"] == 200
    assert found["hybrid"] == found["hybrid promises"] == []
    assert first["faiss"][1]["recall"]["value"] == 1
    assert second["faiss"] == []
    assert [row["promise"].split(",")[0] for row in found["promises"]][:2] == ["right with documents", "right without"]
    one, two = found["passages"]
    assert one["prompt tokens"] < two["prompt tokens"]
    assert [row["reranking"] for row in found["answers"]] == ["none", "answerability", "question likelihood"]
    assert {s["stage"] for s in found["answers"][1]["stages"]} >= {"words", "vectors", "rerank", "prompt", "answer"}
    same, own = found["prefix cache"]
    assert same["read"] < same["tokens"]
    assert same["read"] / same["tokens"] < own["read"] / own["tokens"]
    assert list(tmp_path.iterdir()) == []


def test_the_prefix_trial_counts_the_tokens_that_are_read():
    torch.manual_seed(0)
    model = Decoder(DecoderConfig("llama", 16, 16, 24, 2, 2, 1, 8, 1e-6, 64)).eval().requires_grad_(False)
    head = [1, 2, 3, 4, 5, 6, 7, 8]
    trial = prefix_trial(model, [[*head, 9, 10], [*head, 11], [*head, 11], [5, *head]], rounds=5)
    assert (trial.prompts, trial.tokens) == (4, 10 + 9 + 9 + 9)
    assert trial.read == 10 + 1 + 1 + 9  # a repeated prompt still has its last token read
    assert trial.speed.checked
    assert "prefix cache" in str(trial)
    with pytest.raises(ValueError, match="no prompt"):
        prefix_trial(model, [])
