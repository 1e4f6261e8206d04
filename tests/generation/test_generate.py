"""Decoding against the model without a cache and against transformers; stopping, batches, caches and bad input."""

import pytest
import torch
import transformers as t

from labkit.generation import GREEDY, Sampling, WindowCache, generate, stream
from labkit.generation.stopping import at_any, at_sequence, at_tokens
from labkit.models import load
from labkit.models.shipped import shipped_folders
from tests.generation.agreement import agreement

SHIPPED = sorted(shipped_folders())


@pytest.mark.parametrize(("count", "batch"), [(80, 1), (320, 16)])
def test_with_a_cache_as_without_over_hundreds_of_prompts(target, random_prompts, count, batch):
    prompts = random_prompts(count)
    found = []
    for n in range(0, count, batch):
        found += generate(target, prompts[n : n + batch], 20).tokens
    assert agreement(target, prompts, found).holds


def test_the_proof_of_equal_tokens_finds_a_wrong_one_and_counts_a_tie(target, decoder):
    (row,) = generate(target, [[1, 2]], 20).tokens
    wrong = (*row[:9], (row[9] + 1) % 64, *row[10:])
    found = agreement(target, [[1, 2]], [wrong])
    assert (found.tokens, found.holds) == (20, False)
    assert found.wrong >= 1
    even = decoder()
    even.lm_head.weight[7] = even.lm_head.weight[3] = 10 * even.lm_head.weight[3]  # two tokens that are always level
    level = [[n] for n in range(64) if int(even(torch.tensor([[n]]))[0, -1].argmax()) == 3]
    told = agreement(even, level, [[7]] * len(level))
    assert told.ties == len(level) > 0
    assert (told.wrong, told.holds) == (0, False), "so many ties are no accident"
    assert not agreement(target, [], []).holds, "nothing compared is nothing proved"


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_decoders_too(name, random_prompts):
    model = load(name, dtype="float32").model
    prompts = random_prompts(300, vocab=model.config.vocab_size)
    found = [row for n in range(0, 300, 20) for row in generate(model, prompts[n : n + 20], 20).tokens]
    assert agreement(model, prompts, found).holds


def test_greedy_equals_generate_of_transformers(tmp_path, random_prompts):
    torch.manual_seed(0)
    sizes = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    config = t.LlamaConfig(**sizes, num_attention_heads=4, num_key_value_heads=2, initializer_range=0.3, eos_token_id=5)
    theirs = t.LlamaForCausalLM(config).eval()
    theirs.save_pretrained(tmp_path)
    ours = load(tmp_path, dtype="float32", device="cpu").model
    ended = set()
    for prompt in random_prompts(40):
        expected = theirs.generate(torch.tensor([prompt]), max_new_tokens=16, do_sample=False)[0, len(prompt) :]
        found = generate(ours, [prompt], 16)
        assert list(found.tokens[0]) == expected.tolist()
        ended |= set(found.ended)
    assert ended == {"stop", "length"}, "both ends must have been met"


def test_sampling_depends_on_the_generator_alone(target):
    def run(seed):
        return generate(
            target, [[1, 2], [3]], 12, sampling=Sampling(top_p=0.9), generator=torch.Generator().manual_seed(seed)
        )

    assert run(0).tokens == run(0).tokens != run(1).tokens


def test_rows_end_on_their_own(target, random_prompts):
    prompts = random_prompts(8)
    free = generate(target, prompts, 20).tokens
    end = free[3][4]
    stopped = generate(target, prompts, 20, stop=at_tokens(end))
    for whole, row, why in zip(free, stopped.tokens, stopped.ended, strict=True):
        length = whole.index(end) + 1 if end in whole else 20
        assert row == whole[:length]
        assert why == ("stop" if end in whole else "length")
    assert "stop" in stopped.ended


def test_a_sequence_stops_only_as_a_whole(target, random_prompts):
    prompts = random_prompts(1)
    free = generate(target, prompts, 20).tokens[0]
    pair, other = free[6:8], 63 if free[7] != 63 else 62
    assert generate(target, prompts, 20, stop=at_sequence(*pair)).tokens[0][-2:] == pair
    both = at_any(at_sequence(free[6], other), at_sequence(*pair))
    assert generate(target, prompts, 20, stop=both).ended == ("stop",)
    assert generate(target, prompts, 6, stop=at_sequence(free[5], other)).ended == ("length",)


def test_a_stop_that_never_comes_ends_at_the_limit(target):
    found = generate(target, [[1]], 9, stop=at_tokens(1000))
    assert (len(found.tokens[0]), found.ended) == (9, ("length",))


def test_the_end_of_the_context_is_a_defined_stop(decoder):
    model = decoder(max_position_embeddings=16)
    found = generate(model, [[1] * 10, [2] * 4], 50)
    assert found.ended == ("context", "context")
    assert [len(row) for row in found.tokens] == [6, 12]


def test_a_cache_that_holds_a_prefix_need_not_read_it_again(target, random_prompts):
    prompts = [[*prompt, 1, 2, 3] for prompt in random_prompts(4)]
    cache = target.new_cache(4, 60)
    first = generate(target, prompts, 8, cache=cache)
    assert cache.lengths == [len(p) + 7 for p in prompts]  # all but the last token
    longer = [[*p, *row, 9] for p, row in zip(prompts, first.tokens, strict=True)]
    again = generate(target, longer, 8, cache=cache)
    assert again.tokens == generate(target, longer, 8).tokens


def test_the_steps_are_those_of_generate(target, random_prompts):
    prompts = random_prompts(3)
    rows = [[], [], []]
    for step in stream(target, prompts, 10):
        for row, new in zip(rows, step.tokens, strict=True):
            row.extend(new)
    assert tuple(map(tuple, rows)) == generate(target, prompts, 10).tokens


def test_times_are_kept_apart(target):
    found = generate(target, [[1, 2, 3]], 5)
    assert found.steps == 5
    assert found.prefill_seconds > 0
    assert found.time_per_output_token == found.decode_seconds / 4
    assert generate(target, [[1]], 1).time_per_output_token is None
    assert "prefill" in str(found)


@pytest.mark.parametrize(
    ("prompts", "new", "message"),
    [
        ([], 4, "at least one token, and there must be one"),
        ([[1], []], 4, "at least one token"),
        ([[1]], 0, "got 0"),
        ([[1]], -3, "got -3"),
        ([[64]], 4, "Token 64 is not in the vocabulary of 64"),
        ([[-1]], 4, "Token -1"),
        ([[1] * 128], 4, "leaves no room in a context of 128"),
        ([[1] * 500], 4, "leaves no room in a context of 128"),
    ],
)
def test_prompts_and_lengths_that_make_no_sense(target, prompts, new, message):
    with pytest.raises(ValueError, match=message):
        generate(target, prompts, new)


def test_caches_that_do_not_fit(target):
    with pytest.raises(ValueError, match="2 prompts for a cache of 1"):
        generate(target, [[1], [2]], 4, cache=target.new_cache(1, 8))
    full = target.new_cache(1, 8)
    generate(target, [[1, 2]], 3, cache=full)
    with pytest.raises(ValueError, match="none is left to feed"):
        generate(target, [[1, 2]], 3, cache=full)
    assert generate(target, [[1, 2]], 50, cache=target.new_cache(1, 8)).ended == ("context",)


def test_nan_weights_are_an_error_and_no_hang(decoder):
    broken = decoder()
    broken.lm_head.weight[3] = float("nan")
    with pytest.raises(ValueError, match="no next token"):
        generate(broken, [[1]], 4, sampling=GREEDY)


def test_a_window_as_long_as_the_text_changes_nothing(target, random_prompts):
    prompts = random_prompts(10)
    whole = generate(target, prompts, 20)
    for sinks in (0, 4):
        cache = WindowCache(target.config, 10, window=60, sinks=sinks)
        assert generate(target, prompts, 20, cache=cache).tokens == whole.tokens
