import pytest
import torch

from labkit.training import loop
from labkit.training.checkpoint import Progress
from labkit.training.loop import Run, run_stage
from labkit.training.objective import predict
from labkit.training.optimiser import adamw, initial
from labkit.training.sources import course_world
from labkit.training.stages import Stage
from labkit.training.stream import stream
from labkit.training.validation import validation_batches, validation_loss

STAGE = Stage("reading", {"reading-0": 1}, steps=4, rows=2, length=64)


@pytest.fixture(scope="module")
def held_out(tokenizer):
    return validation_batches(tokenizer)


def test_it_holds_every_task_and_is_always_the_same(held_out, tokenizer):
    again = validation_batches(tokenizer)
    assert all(torch.equal(a.tokens, b.tokens) for a, b in zip(held_out, again, strict=True))
    text = tokenizer.decode(torch.cat([b.tokens.flatten() for b in held_out]))
    assert "JSON" in text
    assert "import " in text
    assert "not known" in text.lower()


def test_running_text_is_about_shires_of_the_validation_split(held_out, tokenizer):
    world = course_world()
    own = {e.bare_name for e in world.entities if world.split(e) == "validation"}
    text = tokenizer.decode(torch.cat([b.tokens.flatten() for b in held_out]))
    assert sum(name in text for name in own) > 30


def test_the_loss_is_the_mean_over_learned_tokens(tiny, tokenizer):
    model = initial(tiny, 0).eval()
    batches = [next(stream(STAGE, tokenizer, seed)) for seed in (1, 2)]
    with torch.no_grad():
        losses = [float(x) for b in batches for x in predict(model, b).losses]
    assert validation_loss(model, batches) == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    with pytest.raises(ValueError, match="nothing"):
        validation_loss(model, [])


def test_it_stands_in_the_curve(tiny, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECK_EVERY", 2)
    monkeypatch.setattr(loop, "VALIDATE_EVERY", 4)
    model = initial(tiny, 0)
    batch = next(stream(STAGE, tokenizer, 9))
    run = Run(model, adamw(model), Progress(), tmp_path, [batch])
    run_stage(run, STAGE, stream(STAGE, tokenizer, 0), [])
    first, second = run.progress.curve
    assert "validation_loss" not in first
    assert second["validation_loss"] == pytest.approx(validation_loss(model, [batch]), rel=1e-4)
