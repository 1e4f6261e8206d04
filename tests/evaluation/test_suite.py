import dataclasses
import json

import pytest

from labkit.evaluation import Task, answers, course_tasks, evaluate, paired_change, score_task
from labkit.evaluation.tasks import Item, counts
from labkit.world import World
from labkit.world.relations import RELATIONS
from labkit.world.statement import questions


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.fixture(scope="module")
def tasks(world):
    return list(course_tasks(world))


def _items(pairs, tokenizer, right: int):
    """Ten questions; the model's own answer is accepted for the first `right` of them."""
    messages = [f"What is {n} + {n}?" for n in range(10)]
    given = answers(pairs[0][0], tokenizer, messages, 6)
    return tuple(
        Item(m, (a.text if n < right else "never said",)) for n, (m, a) in enumerate(zip(messages, given, strict=True))
    )


def test_a_share_counts_the_answers_that_are_right(pairs, tokenizer):
    (score,) = score_task(pairs[0][0], tokenizer, Task("sums", ("right",), _items(pairs, tokenizer, 7), limit=6))
    assert score.estimate.value == 0.7
    assert score.outcomes == (True,) * 7 + (False,) * 3


def test_one_table_holds_tasks_and_running_text(pairs, tokenizer):
    (ours, _), (other, _) = pairs
    task = Task("sums", ("right",), _items(pairs, tokenizer, 4), limit=6)
    report = evaluate("tiny", ours, tokenizer, [task], ["Salury was founded in 238.", "A b c d."], reference=other)
    cells = {(row["task"], row["measure"]): row["value"] for row in report.table().to_dicts()}
    assert cells["sums", "right"] == "40.0%"
    assert {"perplexity", "KL to the reference (nats a token)", "top-1 flips (share of tokens)"} == set(report.text)
    assert json.loads(report.to_json())["scores"][0]["estimate"]["value"] == 0.4
    assert paired_change(report.score("sums"), report.score("sums")).value == 0
    with pytest.raises(KeyError, match="sums"):
        report.score("products")


def test_what_counts_depends_on_the_measure():
    item = Item("Who?", ("Fela",), stale="Pero")
    assert counts("right", item, "fela.")
    assert counts("says the old value", item, "Pero")
    assert not counts("says the old value", item, "Fela")
    assert not counts("says the old value", Item("Who?", ("Fela",)), "Fela")
    assert counts("abstains", item, "not known")
    with pytest.raises(ValueError, match="clever"):
        counts("clever", item, "Fela")


@pytest.mark.slow
def test_every_bar_of_the_card_is_measured_on_at_least_500_held_out_items(tasks):
    assert {(t.name, m): len(t.items) >= 500 for t in tasks for m in t.measures} == {
        ("closed book, one-hop", "right"): True,
        ("closed book, changed since", "says the old value"): True,
        ("closed book, changed since", "right"): True,
        ("open book, one-hop", "right"): True,
        ("open book, two-hop", "right"): True,
        ("open book, unanswerable", "abstains"): True,
        ("open book, one-hop", "abstains"): True,
        ("arithmetic", "right"): True,
        ("document to JSON", "right"): True,
    }
    for task in tasks:
        assert len({i.message for i in task.items}) == len(task.items), task.name


@pytest.mark.slow
def test_every_item_fits_the_context_with_its_answer(tasks, tokenizer):
    for task in tasks:
        longest = max(len(tokenizer(i.message).input_ids) for i in task.items)
        answer = max(len(tokenizer(" " + a).input_ids) for i in task.items for a in i.accepted[:1])
        assert longest + 4 + task.limit <= 1024, task.name
        assert answer + 1 <= task.limit, task.name


@pytest.mark.slow
def test_open_book_answers_stand_in_the_passages_and_unanswerable_ones_are_not_known(tasks):
    by_name = {t.name: t for t in tasks}
    for item in by_name["open book, one-hop"].items:
        assert any(a.removesuffix(" metres").lower() in item.message.lower() for a in item.accepted)
    for item in by_name["open book, unanswerable"].items:
        assert item.accepted[0] == "not known"
    for item in by_name["closed book, changed since"].items:
        assert item.stale is not None
        assert not counts("right", item, item.stale)


@pytest.mark.slow
def test_closed_book_phrasings_are_never_those_of_training(world):
    for relation in RELATIONS.values():
        assert not set(questions(relation, "train")) & set(questions(relation, "test"))


def test_an_item_can_be_copied_with_its_schema():
    item = Item("m", ("{}",), schema={"properties": {}})
    assert dataclasses.replace(item) == item
    assert item.right("{ }")
