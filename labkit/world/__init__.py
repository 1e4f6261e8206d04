"""The fictional world behind the course: nobody's facts, every one of them known, dated and in training's reach.

Pure Python, no torch and no numpy; the same seed gives the same bytes on every platform and Python version.

    world = World()                                  the world of the course
    world.entities, world.facts("before")            984 entities; what holds at the cutoff, or two years "after" it
    world.documents("after")                         the corpus of an edition, each document with its triples and spans
    world.questions("two-hop", split="test")         questions with gold answers, evidence and spans
    state(fact, 7), ask(fact, 7)                     one fact in many phrasings, test phrasings apart
    readings(seed)                                   open-book exercises without end, about entities of other worlds
    problems(seed, split), extractions(seed)         arithmetic and units; letters to JSON

Legend: an *edition* is a state of knowledge, "before" (as of `CUTOFF`) or "after"; a *shire* is a community within
which all links of its entities stay; a *split* parts shires (open book) or phrasings (closed book); a *mention* is the
word by which a text calls an entity: its name, its alias or its description.

The files that ship stand in `data/world` and are made by `python -m labkit.world --out data`; `labkit.data` finds and
checks them, `labkit.world.files` reads them.
"""

from labkit.world.arithmetic import Problem, problems
from labkit.world.dates import CUTOFF, Date
from labkit.world.document import Document, Triple
from labkit.world.entity import Entity
from labkit.world.extraction import Extraction, extractions
from labkit.world.fact import Fact
from labkit.world.question import BOOKS, NOT_KNOWN, QUESTION_KINDS, Evidence, Question, is_right, normalized
from labkit.world.reading import Ask, Level, Passage, Reading, readings, readings_of
from labkit.world.relation import SPLITS, Relation
from labkit.world.relations import RELATIONS
from labkit.world.statement import ask, questions, state, statements
from labkit.world.world import EDITIONS, World, fresh_shires

__all__ = [
    "BOOKS",
    "CUTOFF",
    "EDITIONS",
    "NOT_KNOWN",
    "QUESTION_KINDS",
    "RELATIONS",
    "SPLITS",
    "Ask",
    "Date",
    "Document",
    "Entity",
    "Evidence",
    "Extraction",
    "Fact",
    "Level",
    "Passage",
    "Problem",
    "Question",
    "Reading",
    "Relation",
    "Triple",
    "World",
    "ask",
    "extractions",
    "fresh_shires",
    "is_right",
    "normalized",
    "problems",
    "questions",
    "readings",
    "readings_of",
    "state",
    "statements",
]
