"""RAGChecker's measures (Ru et al., 2024, arXiv 2408.08067, section 3.3), exact because claims are triples.

The paper lets a model judge whether a text entails a claim. Here a claim is a triple (subject, relation, object), a
text entails it if it states it, and whoever computes a measure can check it by hand.

Legend: `gold` are the true claims that answer the question, `response` the claims of the answer, `chunks` the claims
that each retrieved chunk states.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

Claim = tuple[str, str, str]
NONE = float("nan")
"""A share of nothing; leave it out of a mean."""


@dataclass(frozen=True)
class ClaimMeasures:
    """Every measure lies between 0 and 1, or is NaN where it would be a share of nothing.

    Retriever: `claim_recall` is the share of gold claims that the chunks state, `context_precision` the share of chunks
    that state one. Generator: every claim of the response is either in the chunks (`faithfulness`), or true all the
    same (`self_knowledge`), or neither (`hallucination`). Wrong claims that chunks state are `relevant_noise` if a
    relevant chunk states them, else `irrelevant_noise`. `context_utilization` is the share of the gold claims
    in the chunks that the response uses.
    """

    precision: float
    recall: float
    claim_recall: float
    context_precision: float
    context_utilization: float
    relevant_noise: float
    irrelevant_noise: float
    faithfulness: float
    self_knowledge: float
    hallucination: float


def claim_measures(
    gold: Collection[Claim], response: Collection[Claim], chunks: Sequence[Collection[Claim]]
) -> ClaimMeasures:
    """The measures of one answer.

    >>> mill, tower = ("mill", "height", "9 metres"), ("tower", "height", "31 metres")
    >>> measured = claim_measures(gold=[mill], response=[mill, tower], chunks=[[mill], []])
    >>> measured.claim_recall, measured.context_precision, measured.faithfulness, measured.hallucination
    (1.0, 0.5, 0.5, 0.5)
    """
    right, said = set(gold), set(response)
    shown = set().union(*map(set, chunks))
    relevant = [set(chunk) for chunk in chunks if right & set(chunk)]
    wrong = said - right
    misled = wrong & set().union(*relevant)
    return ClaimMeasures(
        precision=_share(said & right, said),
        recall=_share(said & right, right),
        claim_recall=_share(right & shown, right),
        context_precision=len(relevant) / len(chunks) if chunks else NONE,
        context_utilization=_share(right & shown & said, right & shown),
        relevant_noise=_share(misled, said),
        irrelevant_noise=_share((wrong & shown) - misled, said),
        faithfulness=_share(said & shown, said),
        self_knowledge=_share((said & right) - shown, said),
        hallucination=_share(wrong - shown, said),
    )


def _share(part: set[Claim], whole: set[Claim]) -> float:
    return len(part) / len(whole) if whole else NONE
