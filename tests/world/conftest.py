"""The world of the tests, and two measuring instruments that use no code of the room they judge."""

from __future__ import annotations

import collections
import math
import re

import pytest

from labkit.world import World


@pytest.fixture(scope="session")
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def bm25():
    return BM25


@pytest.fixture(scope="session")
def skeletons():
    return skeletons_of


class BM25:
    """Okapi BM25 (Robertson and Walker 1994, k1 = 1.5, b = 0.75, idf of Lucene) over lower-case words."""

    def __init__(self, texts: list[str]) -> None:
        counts = [collections.Counter(words(t)) for t in texts]
        lengths = [sum(c.values()) for c in counts]
        mean = sum(lengths) / len(lengths)
        self.postings: dict[str, list[tuple[int, float]]] = collections.defaultdict(list)
        for number, (count, length) in enumerate(zip(counts, lengths, strict=True)):
            for word, n in count.items():
                weight = n * 2.5 / (n + 1.5 * (0.25 + 0.75 * length / mean))
                self.postings[word].append((number, weight))
        self.idf = {w: math.log(1 + (len(texts) - len(p) + 0.5) / (len(p) + 0.5)) for w, p in self.postings.items()}

    def top(self, query: str, k: int) -> list[int]:
        scores: dict[int, float] = collections.defaultdict(float)
        for word in words(query):
            for number, weight in self.postings.get(word, ()):
                scores[number] += self.idf[word] * weight
        return sorted(scores, key=lambda n: (-scores[n], n))[:k]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def masker(names: set[str]):
    """A function that puts `@` for every name and `#` for every number of a sentence; longest names first."""
    by_first: dict[str, list[str]] = collections.defaultdict(list)
    for name in sorted(names, key=len, reverse=True):
        by_first[words(name)[0]].append(name.lower())

    def mask(sentence: str) -> str:
        text, out, position = sentence.lower(), [], 0
        for match in re.finditer(r"\w+", text):
            if match.start() < position:
                continue
            hit = next((n for n in by_first.get(match.group(), ()) if _stands_at(text, n, match.start())), None)
            if hit:
                out += [text[position : match.start()], "@"]
                position = match.start() + len(hit)
        return re.sub(r"\d+", "#", "".join(out) + text[position:])

    return mask


def _stands_at(text: str, name: str, start: int) -> bool:
    end = start + len(name)
    return text.startswith(name, start) and not text[end : end + 1].isalnum()


def skeletons_of(texts: list[str], names: set[str]) -> collections.Counter[str]:
    """How often each sentence occurs once names and numbers are masked."""
    mask = masker(names)
    return collections.Counter(mask(s) for text in texts for s in sentences(text))


def sentences(text: str) -> list[str]:
    """Lines, and within them what stands between full stops, exclamation and question marks."""
    parts = (re.split(r"(?<=[.!?])\s+(?=[A-Z])", line) for line in text.split("\n"))
    return [s for line in parts for s in line if s.strip()]
