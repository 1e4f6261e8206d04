import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labkit.evaluation.answering import greedy
from labkit.models.saving import save
from labkit.training.examples import Example, Writer
from labkit.training.objective import predict
from labkit.training.optimiser import initial
from labkit.training.packing import PackedAttention, batches, pack

EXAMPLES = [
    Example((5, 6, 7, 8), (False, True, True, False)),
    Example((9, 10, 11), (True, False, True)),
    Example((12, 13, 14, 15, 16, 17), (False, False, True, True, False, True)),
]


@pytest.fixture
def model(tiny):
    model = initial(tiny, seed=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(8)  # attention far from uniform, so that a leak between examples would show
    return model


def test_a_packed_example_gets_the_logits_it_gets_alone(model):
    batch = pack(EXAMPLES, rows=2, length=9)
    packed = model(batch.tokens, PackedAttention(batch))
    for row, segment, example in ((0, 0, EXAMPLES[0]), (0, 1, EXAMPLES[1]), (1, 0, EXAMPLES[2])):
        place = batch.segments[row] == segment
        assert batch.tokens[row, place].tolist() == list(example.tokens)
        alone = model(torch.tensor([example.tokens]))[0]
        torch.testing.assert_close(packed[row, place], alone, rtol=1e-4, atol=1e-4)


def test_the_loss_is_transformers_loss_over_the_learned_tokens(model, tmp_path):
    from transformers import AutoModelForCausalLM

    theirs = AutoModelForCausalLM.from_pretrained(save(model, tmp_path)).eval()
    summed = count = 0
    for example in EXAMPLES:
        learned = [mark and n > 0 for n, mark in enumerate(example.learned)]
        labels = [t if mark else -100 for t, mark in zip(example.tokens, learned, strict=True)]
        loss = theirs(torch.tensor([example.tokens]), labels=torch.tensor([labels])).loss.item()
        summed, count = summed + loss * sum(learned), count + sum(learned)
    assert predict(model, pack(EXAMPLES, rows=2, length=9)).loss.item() == pytest.approx(summed / count, rel=1e-4)


def test_exact_match_is_what_greedy_decoding_would_give(model, tokenizer):
    ours = Writer(tokenizer).conversation([("Who?", "Fela")])
    asked = [t for t, mark in zip(ours.tokens, ours.learned, strict=True) if not mark]
    said, _ = greedy(model, [asked], 3, end=-1)
    right = Example((*asked, *said[0].tolist()), (False,) * len(asked) + (True,) * 3)
    wrong = Example((*asked, *said[0, :2].tolist(), 77), right.learned)
    assert predict(model, pack([right, wrong, right], rows=1, length=64)).exact().tolist() == [True, False, True]


@given(sizes=st.lists(st.integers(1, 12), max_size=60))
def test_batches_lose_nothing_but_the_too_long_and_the_last(sizes):
    examples = [Example((n + 1,) * size, (True,) * size) for n, size in enumerate(sizes)]
    seen = []
    for batch in batches(examples, rows=2, length=10):
        for row in range(2):
            for segment in range(int(batch.segments[row].max()) + 1):
                place = batch.segments[row] == segment
                assert batch.positions[row, place].tolist() == list(range(int(place.sum())))
                assert batch.learned[row, place].tolist() == [False] + [True] * (int(place.sum()) - 1)
                seen.append((int(batch.tokens[row, place][0]), int(place.sum())))
    fitting = [(n + 1, size) for n, size in enumerate(sizes) if size <= 10]
    assert sorted(seen) == sorted(fitting)[: len(seen)] or set(seen) <= set(fitting)
    assert sum(size for _, size in fitting) - sum(size for _, size in seen) <= 20


def test_a_source_that_never_fits_is_refused_and_does_not_run_for_ever():
    with pytest.raises(ValueError, match="longer than a row of 3"):
        next(batches(itertools.repeat(EXAMPLES[0]), rows=1, length=3))


def test_an_example_without_room_is_refused():
    with pytest.raises(ValueError, match="no room"):
        pack(EXAMPLES, rows=1, length=9)


def _split(tokens, separator):
    parts = [[]]
    for token in tokens:
        if token == separator:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts
