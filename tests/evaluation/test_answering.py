import math

import pytest
import torch

from labkit.evaluation.answering import answers, greedy, probability_of, prompt_tokens

MESSAGES = [
    "Who governs Belarath?",
    "6 April 432\nFela Belamor has resided in Halander since 1 January 418.\n\nWhere does Fela Belamor live?",
    "What is 12 + 7?",
]


def test_greedy_answers_of_a_padded_batch_are_those_transformers_generates_one_by_one(pairs, tokenizer):
    ours, theirs = pairs[0]
    prompts = [prompt_tokens(tokenizer, m) for m in MESSAGES]
    tokens, _ = greedy(ours, prompts, 12, tokenizer.eos_token_id)
    for prompt, row in zip(prompts, tokens.tolist(), strict=True):
        expected = theirs.generate(torch.tensor([prompt]), max_new_tokens=12, do_sample=False)[
            0, len(prompt) :
        ].tolist()
        assert row[: len(expected)] == expected


def test_answers_come_in_the_order_of_the_messages_whatever_the_batch(pairs, tokenizer):
    ours = pairs[0][0]
    together, alone = (answers(ours, tokenizer, MESSAGES, 8, batch_size=size) for size in (3, 1))
    assert [a.text for a in together] == [a.text for a in alone]
    assert [a.probability for a in together] == pytest.approx([a.probability for a in alone], rel=1e-3)


def test_an_answer_stops_at_the_end_token_and_its_probability_includes_it(pairs, tokenizer):
    ours, theirs = pairs[0]
    prompt = prompt_tokens(tokenizer, MESSAGES[0])
    with torch.no_grad():
        logits = theirs(torch.tensor([prompt])).logits[0, -1]
    best = int(logits.argmax())
    tokens, logs = greedy(ours, [prompt], 5, end=best)  # as if the model's first choice ended the answer
    assert tokens.shape == (1, 1)
    assert math.exp(logs[0, 0]) == pytest.approx(logits.softmax(-1)[best].item(), rel=1e-4)


def test_the_probability_of_an_answer_is_the_product_over_its_tokens(pairs, tokenizer):
    ours, theirs = pairs[0]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": MESSAGES[0]}, {"role": "assistant", "content": "Fela Belamor"}], tokenize=False
    )
    tokens, start = tokenizer(text, return_tensors="pt").input_ids, len(prompt_tokens(tokenizer, MESSAGES[0]))
    with torch.no_grad():
        steps = theirs(tokens).logits[0].softmax(-1)[torch.arange(start - 1, tokens.shape[1] - 1), tokens[0, start:]]
    measured = probability_of(ours, tokenizer, MESSAGES[0], "Fela Belamor")
    assert math.log(measured) == pytest.approx(steps.double().log().sum().item(), rel=1e-4)


def test_a_message_longer_than_the_context_is_refused(pairs, tokenizer):
    with pytest.raises(ValueError, match="no room"):
        answers(pairs[0][0], tokenizer, ["a b c " * 100])
