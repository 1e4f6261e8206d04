"""Two kinds of hallucination: against what was shown, and beyond it.

Ji et al., "Survey of Hallucination in Natural Language Generation" (arXiv 2202.03629, section 2.1): an *intrinsic* one
contradicts the source, an *extrinsic* one cannot be checked against it. With triples both are exact: a wrong claim that
no chunk states is intrinsic if some chunk gives another object for the same subject and relation, else extrinsic.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from labkit.rag.claims import NONE, Claim


@dataclass(frozen=True)
class Hallucinations:
    """Shares of the claims of a response; together they are `ClaimMeasures.hallucination`. NaN without a claim."""

    intrinsic: float
    extrinsic: float


def hallucinations(
    gold: Collection[Claim], response: Collection[Claim], chunks: Sequence[Collection[Claim]]
) -> Hallucinations:
    """The kinds of the wrong claims in a response that no chunk states; legend as in `labkit.rag.claims`.

    >>> mill, tower = ("mill", "height", "9 metres"), ("tower", "height", "31 metres")
    >>> hallucinations([mill], [("mill", "height", "8 metres"), ("tower", "height", "2 metres")], [[mill]])
    Hallucinations(intrinsic=0.5, extrinsic=0.5)
    """
    said, shown = set(response), set().union(*map(set, chunks))
    if not said:
        return Hallucinations(NONE, NONE)
    told_of = {(subject, relation) for subject, relation, _ in shown}
    made_up = said - set(gold) - shown
    against = {claim for claim in made_up if claim[:2] in told_of}
    return Hallucinations(len(against) / len(said), len(made_up - against) / len(said))
