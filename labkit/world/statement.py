"""Says or asks one fact in any of its phrasings."""

from __future__ import annotations

from labkit.world.entity import Entity, Mention
from labkit.world.fact import Fact
from labkit.world.grammar import Marked, expansions, fill
from labkit.world.relation import Relation, Split


def statements(relation: Relation, split: Split = "train") -> tuple[str, ...]:
    """Every clause in which the relation is stated; training, validation and test share none."""
    return relation.states.patterns(split)


def questions(relation: Relation, split: Split = "train") -> tuple[str, ...]:
    """Every way in which the relation is asked for; training, validation and test share none."""
    return relation.asks.patterns(split)


def clause(fact: Fact, pattern: str, mention: str | Marked | None = None) -> Marked:
    """The fact as a clause, without capital and full stop, the places of `S` and `O` marked with the fact.

    `mention` stands for the subject where its name should not.
    """
    subject = fact.subject.name if mention is None else mention
    return fill(pattern, {"S": subject, "O": fact.answer, "D": str(fact.since)}, fact)


def state(fact: Fact, phrasing: int, split: Split = "train", mention: Mention = "name") -> str:
    """The fact as a sentence in its phrasing number `phrasing`, counted round and round."""
    patterns = statements(fact.definition, split)
    return clause(fact, patterns[phrasing % len(patterns)], fact.subject.mention(mention)).capitalized().text + "."


def ask(fact: Fact, phrasing: int, split: Split = "train", mention: Mention = "name") -> str:
    """A question whose answer is `fact.answer`, in its phrasing number `phrasing`, counted round and round."""
    return ask_about(fact.subject.mention(mention), fact.definition, phrasing, split)


def ask_about(subject: str, relation: Relation, phrasing: int, split: Split = "train") -> str:
    """The question after `relation` of whatever the noun phrase `subject` names."""
    patterns = questions(relation, split)
    return fill(patterns[phrasing % len(patterns)], {"S": subject}).capitalized().text


def noun_phrase(subject: Entity, relation: Relation, phrasing: int, mention: Mention = "name") -> str:
    """The object named by its subject: "the keeper of Kolm Light"."""
    patterns = [p for template in relation.nouns for p in expansions(template)]
    return fill(patterns[phrasing % len(patterns)], {"S": subject.mention(mention)}).text
