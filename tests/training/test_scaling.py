"""Trainings that differ in width alone: equal tokens, resumable, and the recorded ones in order."""

import dataclasses
import json

import pytest
import torch

from labkit.data import shipped, standard_library
from labkit.training import scaling
from labkit.training.scaling_record import FILE, Scaling, ScalingRun, recorded_scaling


@pytest.fixture
def short(monkeypatch, tokenizer):
    monkeypatch.setattr(scaling, "STEPS", 4)
    monkeypatch.setattr(scaling, "LOOKS", 2)
    monkeypatch.setattr(scaling, "LENGTH", 256)
    return tokenizer, scaling.unseen_python(tokenizer, 2)


@pytest.mark.slow
def test_widths_see_equal_tokens_and_a_stopped_one_goes_on(short, tmp_path, monkeypatch):
    tokenizer, unseen = short
    narrow, wide = (scaling.train_width(h, tokenizer, tmp_path / str(h), unseen) for h in (64, 128))
    assert narrow.tokens == wide.tokens
    assert len(narrow.losses) == 2
    assert wide.parameters > narrow.parameters

    saved = scaling.Run.save
    monkeypatch.setattr(scaling.Run, "save", lambda run: (saved(run), (_ for _ in ()).throw(KeyboardInterrupt())))
    with pytest.raises(KeyboardInterrupt):
        scaling.train_width(64, tokenizer, tmp_path / "stopped", unseen)
    monkeypatch.setattr(scaling.Run, "save", saved)
    resumed = scaling.train_width(64, tokenizer, tmp_path / "stopped", unseen)
    assert dataclasses.replace(resumed, seconds=0) == dataclasses.replace(narrow, seconds=0)


@pytest.mark.slow
def test_the_mean_loss_is_that_of_all_tokens(short):
    _, unseen = short
    torch.manual_seed(0)
    model = scaling.initial(scaling.config_of_width(64), 0)
    one_by_one = torch.cat([scaling.predict(model, batch).losses for batch in unseen])
    assert scaling.mean_loss(model, unseen) == pytest.approx(one_by_one.mean().item(), rel=1e-5)


def test_unseen_text_is_of_the_test_split(short):
    tokenizer, unseen = short
    first = unseen[0]
    longest = (first.segments[0] + 1).bincount()[1:].argmax()  # padding is -1
    example = tokenizer.decode(first.tokens[0][first.segments[0] == longest], skip_special_tokens=True)
    library = standard_library()
    assert len(example) > 50
    assert any(example in library.text(file) for file in library.split("test"))


def test_recorded_trainings_are_comparable():
    record = recorded_scaling()
    assert len(record.runs) >= 4
    assert len({run.tokens for run in record.runs}) == 1
    assert [run.parameters for run in record.runs] == sorted(run.parameters for run in record.runs)
    for run in record.runs:
        assert len(run.losses) == len(run.tokens)
        assert list(run.losses) == sorted(run.losses, reverse=True)
    largest, smallest = record.runs[-1], record.runs[0]
    assert largest.losses[-1] < smallest.losses[-1]
    assert "Python" in str(record)


def test_a_record_reads_back_as_it_was_written():
    record = recorded_scaling()
    raw = json.loads(record.to_json())
    assert Scaling(**raw | {"runs": record.runs}) == record
    assert raw == json.loads(shipped(FILE).read_text(encoding="utf-8"))
    assert isinstance(record.runs[0], ScalingRun)
