"""Speculation changes the time and nothing else: greedy token by token, sampled by distribution."""

import itertools

import pytest
import torch
from scipy.stats import chisquare

from labkit.generation import GREEDY, DraftModel, PromptLookup, Sampling, WindowCache, generate
from labkit.generation.drafting import Draft
from labkit.generation.stopping import at_tokens
from labkit.generation.verifying import accept_sampled
from labkit.models import load
from tests.generation.agreement import agreement
from tests.generation.test_generate import SHIPPED


class Script:
    """Guesses what it is told row by row, for the place where the row stands."""

    def __init__(self, continuations, prompt_lengths):
        self.continuations, self.prompt_lengths = continuations, prompt_lengths

    def open(self, target, batch, capacity):
        pass

    def propose(self, tokens, counts, sampling, generator):
        done = [len(row) - length for row, length in zip(tokens, self.prompt_lengths, strict=True)]
        told = zip(self.continuations, done, counts, strict=True)
        return [Draft(list(row[start : start + count])) for row, start, count in told]


@pytest.mark.parametrize("length", [1, 2, 4, 9])
@pytest.mark.parametrize(("batch", "count"), [(1, 10), (6, 66)])
def test_greedy_speculation_writes_what_the_model_writes(target, draft, random_prompts, length, batch, count):
    prompts, found, guesses = random_prompts(count, seed=10 * length + batch), [], []
    for n in range(0, count, batch):
        some = prompts[n : n + batch]
        cache = target.new_cache(len(some), 60)
        told = generate(target, some, 20, drafter=DraftModel(draft), draft_length=length, cache=cache)
        assert cache.lengths == [len(p) + len(row) - 1 for p, row in zip(some, told.tokens, strict=True)]
        found += told.tokens
        guesses.append(told.acceptance)
    assert all(len(row) == 20 for row in found)
    assert agreement(target, prompts, found).holds
    assert any(0 < share < 1 for share in guesses), "neither always right nor always wrong"


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_decoders_with_the_smallest_of_them_as_draft(name, random_prompts):
    model, small = (load(name, dtype="float32").model for name in (name, "course-seed"))
    prompts = random_prompts(300, vocab=model.config.vocab_size)
    found = []
    for n in range(0, 300, 20):
        found += generate(model, prompts[n : n + 20], 20, drafter=DraftModel(small)).tokens
    assert agreement(model, prompts, found).holds


@pytest.mark.parametrize("batch", [1, 6])
def test_prompt_lookup_writes_what_the_model_writes(decoder, random_prompts, batch):
    model = decoder(std=0.12)  # calmer, so that its text runs into circles
    prompts = [prompt * 3 for prompt in random_prompts(30, longest=8, seed=batch)]
    found, accepted = [], 0
    for n in range(0, 30, batch):
        told = generate(model, prompts[n : n + batch], 24, drafter=PromptLookup())
        found, accepted = [*found, *told.tokens], accepted + told.accepted
    assert agreement(model, prompts, found).holds
    assert accepted > 0


@pytest.mark.parametrize("drafter", [PromptLookup, DraftModel])
def test_greedy_speculation_under_a_penalty_writes_what_the_model_writes_under_it(
    target, draft, random_prompts, drafter
):
    """What a guess is judged by depends on the guesses before it."""
    sampling, prompts = Sampling(temperature=0, repetition_penalty=1.3), random_prompts(12)
    plain = generate(target, prompts, 20, sampling=sampling)
    guesser = drafter(draft) if drafter is DraftModel else drafter()
    told = generate(target, prompts, 20, sampling=sampling, drafter=guesser)
    assert told.tokens == plain.tokens != generate(target, prompts, 20).tokens
    assert told.accepted > 0


@pytest.mark.parametrize("wrong_at", [None, 0, 1, 2, 3])
def test_a_mismatch_at_any_place_of_the_draft(target, random_prompts, wrong_at):
    """Guesses right but for one place of each draft of four; each pass must then give just the tokens before it."""
    prompts = random_prompts(3)
    truth = generate(target, prompts, 22).tokens
    scripts = [list(row) for row in truth]
    if wrong_at is not None:
        for row in scripts:
            for n in range(1 + wrong_at, len(row), wrong_at + 1):  # passes begin after the first token
                row[n] = (row[n] + 1) % 64
    told = generate(target, prompts, 22, drafter=Script(scripts, [len(p) for p in prompts]), draft_length=4)
    assert told.tokens == truth
    gained = 5 if wrong_at is None else wrong_at + 1
    assert told.steps == 1 + -(-21 // gained)


@pytest.mark.parametrize("place", range(1, 7))
def test_the_end_may_come_anywhere_in_a_draft(target, random_prompts, place):
    prompts = random_prompts(4)
    truth = generate(target, prompts, 16).tokens
    stop = at_tokens(truth[0][place])
    plain = generate(target, prompts, 16, stop=stop)
    scripted = Script(truth, [len(p) for p in prompts])
    cache = target.new_cache(4, 60)
    told = generate(target, prompts, 16, stop=stop, drafter=scripted, draft_length=4, cache=cache)
    assert (told.tokens, told.ended) == (plain.tokens, plain.ended)
    assert cache.lengths == [len(p) + len(row) - 1 for p, row in zip(prompts, told.tokens, strict=True)]


@pytest.mark.parametrize("drawn", [True, False])
def test_accepted_tokens_follow_the_target_whatever_the_draft(drawn):
    """The first token of a pass must be distributed as p; taking every guess as it is must be found out."""
    generator = torch.Generator().manual_seed(0)
    target = torch.tensor([[0.5, 0.2, 0.2, 0.1, 0.0], [0.2] * 5])
    q = torch.tensor([[0.1, 0.5, 0.1, 0.1, 0.2]])
    guesses = torch.multinomial(q[0], 6_000, replacement=True, generator=generator) if drawn else torch.ones(6_000)
    first = [accept_sampled(target, q if drawn else None, [int(x)], generator)[0] for x in guesses]
    counts = torch.tensor(first).bincount(minlength=5)
    assert counts[4] == 0
    assert chisquare(counts[:4], 6_000 * target[0, :4].double()).pvalue > 1e-3
    as_they_are = guesses.long().bincount(minlength=5)[:4] + 1
    assert chisquare(as_they_are, as_they_are.sum() * target[0, :4].double()).pvalue < 1e-6


def test_a_guess_refused_by_rounding_alone_is_replaced_by_a_draw_from_the_target():
    """Where p lies below q by the last bits and nowhere above it, p - q leaves nothing to draw from."""
    q = torch.tensor([[0.5, 0.5]])
    p = torch.tensor([[0.25, 0.5], [0.5, 0.5]])
    generator = torch.Generator().manual_seed(0)
    passes = [accept_sampled(p, q, [0], generator) for _ in range(50)]
    assert {len(tokens) for tokens in passes} == {1, 2}
    assert {tokens[0] for tokens in passes if len(tokens) == 1} == {0, 1}


@pytest.mark.parametrize("drafter", ["model", "lookup"])
@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.8, top_k=4, repetition_penalty=1.3)])
def test_sampled_speculation_follows_the_distribution_of_the_model(decoder, drafter, sampling):
    """Sequences of four tokens against their exact probabilities, which the model gives for all 5^4 of them."""
    shape = {"vocab_size": 5, "num_layers": 1, "std": 0.25}
    model, small = decoder(**shape), decoder(5, **shape)
    prompt, batch, generator = [3, 1, 3, 1, 3], 250, torch.Generator().manual_seed(0)
    counts = torch.zeros(5, 5, 5, 5)
    accepted = drafted = 0
    for _ in range(10):
        told = generate(
            model,
            [prompt] * batch,
            4,
            sampling=sampling,
            generator=generator,
            drafter=DraftModel(small) if drafter == "model" else PromptLookup(),
            draft_length=2,
        )
        for row in told.tokens:
            counts[row] += 1
        accepted, drafted = accepted + told.accepted, drafted + told.drafted
    assert 0 < accepted < drafted
    assert _p_value(counts, _exact(model, prompt, sampling)) > 1e-3
    assert _p_value(counts, _exact(small, prompt, sampling)) < 1e-6, "the test could not tell two models apart"


@torch.no_grad()
def _exact(model, prompt, sampling):
    from labkit.generation.sampling import probabilities

    every = list(itertools.product(range(5), repeat=4))
    logits = model(torch.tensor([[*prompt, *row] for row in every]))
    total = torch.ones(len(every))
    for n in range(4):
        contexts = [[*prompt, *row[:n]] for row in every]
        p = probabilities(logits[:, len(prompt) - 1 + n], contexts, sampling)
        total *= p[torch.arange(len(every)), torch.tensor([row[n] for row in every])]
    return total.view(5, 5, 5, 5)


def _p_value(counts, expected):
    """Chi-square of cells where five or more are expected, the others together in one more."""
    counts, expected = counts.double().flatten(), (expected.double() * counts.sum()).flatten()
    big = expected >= 5
    seen = torch.cat([counts[big], counts[~big].sum()[None]])
    wanted = torch.cat([expected[big], expected[~big].sum()[None].clamp(min=1e-9)])
    if wanted[-1] < 5:
        seen, wanted = seen[:-1], wanted[:-1]
    return chisquare(seen, wanted * seen.sum() / wanted.sum()).pvalue


@pytest.mark.parametrize("sampling", [GREEDY, Sampling()])
@pytest.mark.parametrize("which", ["target", "draft"])
def test_nan_weights_on_either_side_are_an_error_and_no_hang(decoder, draft, which, sampling):
    broken = decoder()
    broken.lm_head.weight[3] = float("nan")
    model, guesser = (broken, draft) if which == "target" else (decoder(), broken)
    with pytest.raises(ValueError, match="no next token"):
        generate(model, [[1], [2, 3]], 8, sampling=sampling, drafter=DraftModel(guesser))


@pytest.mark.parametrize("drafter", ["model", "lookup"])
def test_a_stop_that_never_comes_and_the_end_of_the_context_end_speculation_too(target, draft, drafter):
    def guesser():
        return DraftModel(draft) if drafter == "model" else PromptLookup()

    found = generate(target, [[1], [2, 2, 2]], 9, stop=at_tokens(1000), drafter=guesser(), draft_length=4)
    assert (found.ended, [len(row) for row in found.tokens]) == (("length", "length"), [9, 9])
    full = target.new_cache(2, 16)
    found = generate(target, [[1] * 10, [2] * 4], 50, cache=full, drafter=guesser(), draft_length=4)
    assert (found.ended, [len(row) for row in found.tokens]) == (("context", "context"), [6, 12])


@pytest.mark.parametrize(
    ("prompts", "new", "message"),
    [
        ([], 4, "there must be one"),
        ([[1], []], 4, "at least one token"),
        ([[1]], 0, "got 0"),
        ([[1] * 128], 4, "no room"),
    ],
)
def test_prompts_and_lengths_that_make_no_sense_are_refused_with_a_drafter_too(target, draft, prompts, new, message):
    with pytest.raises(ValueError, match=message):
        generate(target, prompts, new, drafter=DraftModel(draft))


def test_misuse_is_named(target, draft, decoder):
    with pytest.raises(ValueError, match="vocabulary of 60 and the model one of 64"):
        generate(target, [[1]], 4, drafter=DraftModel(decoder(vocab_size=60)))
    with pytest.raises(ValueError, match="draft's context ends at 8"):
        generate(target, [[1]], 20, drafter=DraftModel(decoder(max_position_embeddings=8)))
    for length in (0, -1):
        with pytest.raises(ValueError, match="must be drafted"):
            generate(target, [[1]], 4, drafter=DraftModel(draft), draft_length=length)
    with pytest.raises(ValueError, match="WindowCache cannot rewind"):
        generate(target, [[1]], 4, drafter=DraftModel(draft), cache=WindowCache(target.config, 1, 8))
    with pytest.raises(ValueError, match="at least one token"):
        PromptLookup(0)
