import dataclasses
import itertools
from contextlib import suppress

import pytest
import torch

from labkit.evaluation.answering import prompt_tokens
from labkit.models import load
from labkit.training import RECIPES, Recipe, Stage, checkpoint, train, train_recipe
from labkit.training.averaging import DECAY, average, averaged
from labkit.training.checkpoint import FILE, Progress, load_checkpoint, save_checkpoint
from labkit.training.loop import Run, exact_match, run_stage, train_step
from labkit.training.optimiser import adamw, initial, learning_rate, muon
from labkit.training.run import trained
from labkit.training.stream import stream

STAGE = Stage("reading", {"reading-0": 1}, steps=6, gate=None, rows=2, length=64, warmup=2)


@pytest.fixture
def recipe(tiny):
    second = dataclasses.replace(STAGE, name="sums", mixture={"arithmetic": 1}, steps=3, length=128)
    return Recipe("tiny", "a model for tests", tiny, (STAGE, second))


def _parameters(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def _run(tiny, folder, optimiser=adamw):
    model = initial(tiny, 0)
    return Run(model, optimiser(model), Progress(), folder)


@pytest.mark.parametrize("optimiser", [adamw, muon])
def test_a_run_that_was_stopped_ends_in_the_same_weights(tiny, tokenizer, tmp_path, optimiser):
    straight = _run(tiny, tmp_path / "straight", optimiser)
    run_stage(straight, STAGE, stream(STAGE, tokenizer, 0), [])

    first = _run(tiny, tmp_path / "stopped", optimiser)
    run_stage(first, STAGE, itertools.islice(stream(STAGE, tokenizer, 0), 2), [])  # as a deadline after two steps
    second = _run(tiny, tmp_path / "stopped", optimiser)
    second.progress = load_checkpoint(second.folder, second.model, second.optimiser)
    assert second.progress.step == 2
    run_stage(second, STAGE, stream(STAGE, tokenizer, 0, start=2), [])
    for name, weight in _parameters(straight.model).items():
        assert torch.equal(weight, second.model.get_parameter(name)), name


def test_an_interrupt_saves_and_a_deadline_ends_the_sitting(tiny, tokenizer, tmp_path):
    def interrupted():
        yield from itertools.islice(stream(STAGE, tokenizer, 0), 3)
        raise KeyboardInterrupt

    run = _run(tiny, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run_stage(run, STAGE, interrupted(), [])
    assert load_checkpoint(tmp_path, run.model, run.optimiser).step == 3
    assert run_stage(run, STAGE, stream(STAGE, tokenizer, 0, 3), [], deadline=0) is False
    assert run.progress.step == 4


def test_a_checkpoint_cut_short_leaves_the_one_before(tiny, tmp_path, monkeypatch):
    run = _run(tiny, tmp_path)
    save_checkpoint(tmp_path, run.model, run.optimiser, Progress(step=5))

    def half(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", half)
    with pytest.raises(OSError, match="space"):
        save_checkpoint(tmp_path, run.model, run.optimiser, Progress(step=6))
    assert load_checkpoint(tmp_path, run.model, run.optimiser).step == 5


def test_the_checkpoint_of_another_model_is_refused_by_name(tiny, tmp_path):
    run = _run(tiny, tmp_path)
    run.save()
    other = initial(dataclasses.replace(tiny, num_layers=1), 0)
    with pytest.raises(ValueError, match=FILE):
        load_checkpoint(tmp_path, other, adamw(other))
    assert load_checkpoint(tmp_path / "empty", other, adamw(other)) is None


def test_an_averaged_stage_ends_with_the_running_mean_of_its_weights(tiny, tokenizer, tmp_path, recipe):
    stage = dataclasses.replace(STAGE, averaged=True)
    run, mean = _run(tiny, tmp_path / "by hand"), None
    for step, batch in enumerate(itertools.islice(stream(STAGE, tokenizer, 0), STAGE.steps)):
        train_step(run, batch, learning_rate(stage, step))
        now = _parameters(run.model)
        mean = now if mean is None else {name: DECAY * mean[name] + (1 - DECAY) * now[name] for name in now}

    recipe = dataclasses.replace(recipe, stages=(stage,))
    train_recipe(recipe, tokenizer, tmp_path, minutes=0)  # stopped after a step, so that a checkpoint holds the mean
    assert train_recipe(recipe, tokenizer, tmp_path).finished
    ended = initial(tiny, 0)
    steps = adamw(ended)
    load_checkpoint(tmp_path, ended, steps)
    for name, weight in _parameters(ended).items():
        torch.testing.assert_close(weight, mean[name], rtol=1e-6, atol=1e-7)
        assert not torch.equal(weight, now[name])
    assert all("average" not in state for state in steps.state.values())


def test_a_look_at_means_leaves_the_weights_as_they_were(tiny, tokenizer, tmp_path):
    run = _run(tiny, tmp_path)
    train_step(run, next(stream(STAGE, tokenizer, 0)), 1e-3)
    average(run.optimiser)
    first = _parameters(run.model)
    train_step(run, next(stream(STAGE, tokenizer, 0)), 1e-3)
    second = _parameters(run.model)
    with suppress(KeyboardInterrupt), averaged(run.optimiser):
        inside = _parameters(run.model)
        raise KeyboardInterrupt
    for name, weight in _parameters(run.model).items():
        assert torch.equal(inside[name], first[name])
        assert torch.equal(weight, second[name])


@pytest.mark.slow
def test_training_learns_and_the_gate_ends_the_stage(tiny, tokenizer, tmp_path):
    stage = dataclasses.replace(STAGE, gate="reading-0", bar=1.0, steps=1000, warmup=20)
    one = next(stream(STAGE, tokenizer, 0))
    run = _run(tiny, tmp_path)
    before = exact_match(run.model, [one])
    assert run_stage(run, stage, itertools.repeat(one), [one])
    assert before < 0.2
    assert exact_match(run.model, [one]) == 1.0
    assert run.progress.step < stage.steps
    assert run.progress.curve[-1]["exact_match"] == 1.0
    assert run.progress.tokens == run.progress.step * int((one.segments >= 0).sum())


def test_a_loss_that_is_lost_stops_before_it_spoils_the_weights(tiny, tokenizer, tmp_path):
    run = _run(tiny, tmp_path)
    with torch.no_grad():
        run.model.norm.weight.fill_(float("nan"))
    before = _parameters(run.model)
    with pytest.raises(ValueError, match="loss"):
        train_step(run, next(stream(STAGE, tokenizer, 0)), 1e-3)
    assert torch.equal(before["embed_tokens.weight"], run.model.embed_tokens.weight)


def test_the_model_loads_in_transformers_alone_and_in_labkit(recipe, tokenizer, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    report = train_recipe(recipe, tokenizer, tmp_path)
    assert report.finished
    assert report.progress.stage == 2
    theirs = AutoModelForCausalLM.from_pretrained(report.folder)
    words = AutoTokenizer.from_pretrained(report.folder)
    ours = load(report.folder, dtype="float32", device="cpu")
    assert theirs.dtype == torch.bfloat16
    tokens = torch.tensor([prompt_tokens(words, "Who governs Belarath?")])
    with torch.no_grad():
        torch.testing.assert_close(theirs.float()(tokens).logits, ours.model(tokens), rtol=1e-3, atol=1e-3)
    assert words.chat_template == tokenizer.chat_template
    assert "finished" in str(report)


def test_a_sitting_without_time_stops_and_the_next_goes_on(recipe, tokenizer, tmp_path):
    first = train_recipe(recipe, tokenizer, tmp_path, minutes=0)
    assert not first.finished
    assert first.progress.step == 1
    last = train_recipe(recipe, tokenizer, tmp_path)
    assert last.finished
    again = train_recipe(recipe, tokenizer, tmp_path)
    assert again.finished
    assert again.progress.tokens == last.progress.tokens


def test_bad_input_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="course-dense"):
        train("nonsense", tmp_path)
    with pytest.raises(ValueError, match="workers"):
        train("course-dense", tmp_path, workers=3)


def test_the_sizes_are_those_the_course_promises():
    counts = {name: sum(p.numel() for p in initial(r.config, 0).parameters()) for name, r in RECIPES.items()}
    assert 5e6 <= counts["course-dense"] <= 12e6
    assert counts["course-draft"] <= 2e6


def test_a_model_that_grows_waits_for_the_one_it_grows_from(recipe, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES, recipe.name, recipe)
    wide = dataclasses.replace(
        recipe.config, hidden_size=128, intermediate_size=384, num_heads=4, num_kv_heads=2, num_layers=4
    )
    grown = Recipe("grown", "a model for tests", wide, recipe.stages[:1], grown_from=recipe.name)
    with pytest.raises(ValueError, match="first finish `labkit train tiny`"):
        train_recipe(grown, tokenizer, tmp_path / "grown", minutes=0)
    before = train_recipe(recipe, tokenizer, tmp_path / "tiny")
    report = train_recipe(grown, tokenizer, tmp_path / "grown")
    assert report.finished
    assert report.progress.tokens > before.progress.tokens  # it goes on counting
    assert trained("tiny", tmp_path).progress.stage == 2
