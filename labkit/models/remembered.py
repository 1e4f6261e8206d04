"""The decode ceiling on a fresh card, where this machine has measured itself before.

Loading a model must not take ten seconds longer because nobody has asked for the ceiling yet.
"""

from __future__ import annotations

from labkit.models.card import LoadingCard


def remembered_bandwidth(card: LoadingCard) -> LoadingCard:
    return card
