"""Asking twice: words that set the first finds apart join the question (pseudo-relevance feedback).

Somebody asked for by a description stands in most papers under a name that the question does not say. The document
that says both is found first, by the description; its rarest words are the name, and a second search with them finds
the others. The price is drift: where the first finds are wrong, so are their words.

The words are weighed by the relevance model of Lavrenko and Croft (SIGIR 2001) and mixed with those of the question as
in RM3 (Abdul-Jaleel et al., TREC 2004). How rare a word is, is counted among the finds themselves, as in local context
analysis (Xu and Croft, SIGIR 1996): what all of them say says nothing, and no statistics of the corpus are needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from labkit.rag.bm25 import lucene_idf, words

TRUSTED = 3
"""First finds whose words are taken."""
TERMS = 10
"""Words that join the question."""
SHARE = 0.3
"""Weight of the question's own words. All three chosen on questions of the validation shires."""


def expanded(query: str, finds: Sequence[str]) -> dict[str, float]:
    """Weights of the words to search for now, together 1; `finds` are texts of a first search, best first.

    The first `TRUSTED` finds give words, all of them say how rare a word is. Without any find the question stays.

    >>> finds = ["Felow Light is the light on the hill", "the mill is on the hill"]
    >>> weights = expanded("Who keeps the light on the hill?", finds)
    >>> weights["felow"] > weights["is"]
    True
    """
    asked = Counter(words(query))
    said = _relevance_model([Counter(words(text)) for text in finds])
    if not said or not asked:
        return {word: count / asked.total() for word, count in asked.items()}
    best = dict(said.most_common(TERMS))
    weights = {word: SHARE * count / asked.total() for word, count in asked.items()}
    for word, weight in best.items():
        weights[word] = weights.get(word, 0.0) + (1 - SHARE) * weight / sum(best.values())
    return weights


def _relevance_model(finds: Sequence[Counter[str]]) -> Counter[str]:
    """Each word's share of a find, over the finds' places, times how rare it is among them."""
    holding = Counter(word for find in finds for word in find)
    model: Counter[str] = Counter()
    for place, find in enumerate(finds[:TRUSTED], 1):
        for word, count in find.items():
            model[word] += count / find.total() / place * lucene_idf(holding[word], len(finds))
    return model
