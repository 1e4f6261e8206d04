import pytest

from labkit.data import ShippedFileError, write_card
from labkit.training.checkpoint import Progress
from labkit.training.record import recorded, validation_losses, write_record

CURVE = [
    {"stage": "all", "step": 100, "tokens": 7, "loss": 2.0},
    {"stage": "all", "step": 500, "tokens": 35, "loss": 1.0, "validation_loss": 1.5},
]


def test_a_record_comes_back_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    folder = tmp_path / "models" / "course-tiny"
    folder.mkdir(parents=True)
    progress = Progress(stage=1, step=3, tokens=35, seconds=2.5, curve=CURVE)
    write_record(folder, progress)
    write_card("models/course-tiny/training.json", summary="a record", source="a test", make="pytest")
    assert recorded("course-tiny") == progress


def test_a_model_without_a_record_is_said_so():
    with pytest.raises(ShippedFileError, match=r"training\.json"):
        recorded("no-such-model")


def test_only_points_with_a_validation_loss_are_compared():
    assert validation_losses(Progress(curve=CURVE)) == {("all", 500): (35, 1.5)}
