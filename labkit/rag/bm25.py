"""BM25 in five published variants: each is how rare a word is, times how much a document is about it.

    idf(df, documents)                   a word that few documents hold says more
    tf(count, length, k1, b, delta)      a second mention says less than the first, and any less in a long document

The variants as Kamphuis et al. set them side by side ("Which BM25 Do You Mean?", ECIR 2020, table 1).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from labkit.rag.dense import largest

Numbers = Float[np.ndarray, " postings"]
K1, B, DELTA = 1.5, 0.75, 0.5
"""Saturation, share of length normalisation, and what BM25L and BM25+ add."""

_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Lower-case runs of letters and digits.

    >>> words("Kolm Light's 31 metres")
    ['kolm', 'light', 's', '31', 'metres']
    """
    return _WORD.findall(text.lower())


def robertson_idf(df: int, documents: int) -> float:
    """Robertson et al., Okapi at TREC-3 (1994); a word in more than half of the documents counts nothing."""
    return math.log(max((documents - df + 0.5) / (df + 0.5), 1.0))


def lucene_idf(df: int, documents: int) -> float:
    """Lucene 8 (2019): never negative because of the 1 inside."""
    return math.log(1 + (documents - df + 0.5) / (df + 0.5))


def atire_idf(df: int, documents: int) -> float:
    """Trotman, Jia and Crane, "Towards an Efficient and Effective Search Engine" (2012)."""
    return math.log(documents / df)


def bm25l_idf(df: int, documents: int) -> float:
    """Lv and Zhai, "When Documents Are Very Long, BM25 Fails!" (2011)."""
    return math.log((documents + 1) / (df + 0.5))


def bm25_plus_idf(df: int, documents: int) -> float:
    """Lv and Zhai, "Lower-Bounding Term Frequency Normalization" (2011)."""
    return math.log((documents + 1) / df)


def okapi_tf(count: Numbers, length: Numbers, k1: float, b: float, delta: float) -> Numbers:
    """Between 0 and 1: `length` is a document's length over the mean one."""
    return count / (count + k1 * (1 - b + b * length))


def atire_tf(count: Numbers, length: Numbers, k1: float, b: float, delta: float) -> Numbers:
    """The same times k1 + 1, so that one mention in a document of mean length counts 1."""
    return (k1 + 1) * okapi_tf(count, length, k1, b, delta)


def bm25l_tf(count: Numbers, length: Numbers, k1: float, b: float, delta: float) -> Numbers:
    """The count is normalised first and then shifted, so that long documents are not punished twice."""
    normalised = count / (1 - b + b * length) + delta
    return (k1 + 1) * normalised / (k1 + normalised)


def bm25_plus_tf(count: Numbers, length: Numbers, k1: float, b: float, delta: float) -> Numbers:
    """A floor under every mention, however long the document."""
    return atire_tf(count, length, k1, b, delta) + delta


@dataclass(frozen=True)
class Variant:
    """`absent_counts` where a document gets `idf * tf(0)` for a word that it does not hold."""

    idf: Callable[[int, int], float]
    tf: Callable[[Numbers, Numbers, float, float, float], Numbers]
    absent_counts: bool = False


VARIANTS = {
    "robertson": Variant(robertson_idf, okapi_tf),
    "lucene": Variant(lucene_idf, okapi_tf),
    "atire": Variant(atire_idf, atire_tf),
    "bm25l": Variant(bm25l_idf, bm25l_tf, absent_counts=True),
    "bm25+": Variant(bm25_plus_idf, bm25_plus_tf, absent_counts=True),
}


class BM25:
    """An inverted index: for each word the documents that hold it, and what it adds to the score of each.

    Raises `ValueError` for no texts and for an unknown variant.
    """

    def __init__(
        self,
        texts: Iterable[str],
        variant: str = "lucene",
        k1: float = K1,
        b: float = B,
        delta: float = DELTA,
        tokenize: Callable[[str], list[str]] = words,
    ) -> None:
        if variant not in VARIANTS:
            raise ValueError(f"No variant of BM25 is called {variant!r}; there are {', '.join(VARIANTS)}.")
        counted = [Counter(tokenize(text)) for text in texts]
        if not counted:
            raise ValueError("BM25 needs at least one document.")
        self.tokenize, self.documents = tokenize, len(counted)
        chosen, lengths = VARIANTS[variant], np.array([c.total() for c in counted], dtype=float)
        relative = lengths / max(lengths.mean(), 1e-9)  # a corpus without words has no postings to divide
        self.postings: dict[str, tuple[Int[np.ndarray, " postings"], Numbers]] = {}
        self.absent: dict[str, float] = {}
        for word, (places, counts) in _inverted(counted).items():
            idf = chosen.idf(len(places), self.documents)
            self.absent[word] = idf * float(chosen.tf(0.0, 1.0, k1, b, delta)) if chosen.absent_counts else 0.0
            weights = idf * chosen.tf(counts, relative[places], k1, b, delta)
            self.postings[word] = places, weights - self.absent[word]

    def scores(self, query: str | Mapping[str, float]) -> Float[np.ndarray, " documents"]:
        """The score of every document; a word that stands twice in the query counts twice, or as its weight says."""
        total = np.zeros(self.documents)
        for word, weight in self._weights(query).items():
            if word in self.postings:
                places, adds = self.postings[word]
                total[places] += weight * adds
                total += weight * self.absent[word]
        return total

    def top(self, query: str | Mapping[str, float], k: int) -> list[tuple[int, float]]:
        """The `k` best documents that hold a word of the query, with their scores, best first.

        >>> [(n, round(score, 3)) for n, score in BM25(["red mill", "blue tower"]).top("the tower", 5)]
        [(1, 0.277)]
        """
        scores = self.scores(query)
        places = [self.postings[word][0] for word in self._weights(query) if word in self.postings]
        if not places:
            return []
        holding = np.unique(np.concatenate(places))
        best = holding[largest(scores[holding], k)]
        return [(int(n), float(scores[n])) for n in best]

    def _weights(self, query: str | Mapping[str, float]) -> Mapping[str, float]:
        return Counter(self.tokenize(query)) if isinstance(query, str) else query


def _inverted(counted: Sequence[Counter[str]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    places: dict[str, list[int]] = {}
    counts: dict[str, list[float]] = {}
    for number, counter in enumerate(counted):
        for word, count in counter.items():
            places.setdefault(word, []).append(number)
            counts.setdefault(word, []).append(count)
    return {word: (np.array(places[word]), np.array(counts[word], dtype=float)) for word in places}
