import pytest

from labkit.data import shipped
from labkit.evaluation.intervals import share
from labkit.evaluation.suite import Evaluation, Score
from labkit.training import Training, shipping
from labkit.training.checkpoint import Progress


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A trained model as far as shipping looks at it, and a data folder of its own."""
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    curve = [{"stage": "recall", "step": 100, "tokens": 4096, "loss": 1.25, "exact_match": 0.5}]
    return Training("course-tiny", folder, True, 1_000, Progress(tokens=4096, seconds=60.0, curve=curve))


@pytest.fixture
def quality():
    score = Score("closed book, one-hop", "right", share(8, 10), (True,) * 8 + (False,) * 2, share(5, 10))
    return Evaluation("course-tiny", (score,), {})


def test_a_shipped_model_has_a_card_for_each_file_and_one_to_read(trained, quality):
    folder = shipping.ship(trained, "a model for tests", [quality])
    assert shipped("models/course-tiny") == folder
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    card = (folder / "README.md").read_text()
    for figure in ("80.0%", "49.0% to 94.3%", "1.25", "0.5", "in 1 min", "labkit train course-tiny"):
        assert figure in card, figure


def test_a_file_too_big_for_the_course_is_refused_before_anything_is_copied(trained, quality, monkeypatch):
    monkeypatch.setattr(shipping, "LARGEST", 5)
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        shipping.ship(trained, "too big", [quality])
    assert not (trained.folder.parent / "data" / "models").exists()
