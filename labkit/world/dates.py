"""Days of the fictional calendar: twelve months of 28 days, years of three digits.

Not `datetime.date`: the years are those of the world, and every month has the same length, so that drawing a day needs
no table. What is dated after `CUTOFF` is unknown to a model trained on the "before" edition.
"""

from __future__ import annotations

import random
from typing import NamedTuple

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DAYS_IN_MONTH = 28


class Date(NamedTuple):
    """One day; compares in the order of time.

    >>> str(Date(428, 3, 17)), Date(428, 3, 17) < Date(428, 4, 1), Date(428, 3, 17).iso()
    ('17 March 428', True, '0428-03-17')
    """

    year: int
    month: int
    day: int

    def __str__(self) -> str:
        return f"{self.day} {MONTHS[self.month - 1]} {self.year}"

    def iso(self) -> str:
        return f"{self.year:04d}-{self.month:02d}-{self.day:02d}"

    @classmethod
    def from_iso(cls, text: str) -> Date:
        """Inverse of `iso`."""
        return cls(*map(int, text.split("-")))

    def ordinal(self) -> int:
        return (self.year * len(MONTHS) + self.month - 1) * DAYS_IN_MONTH + self.day - 1


CUTOFF = Date(430, 12, 28)
"""Last day that the "before" edition knows."""

EDITION_END = {"before": CUTOFF, "after": Date(432, 12, 28)}
"""Last day that each edition knows."""


def from_ordinal(ordinal: int) -> Date:
    """Inverse of `Date.ordinal`.

    >>> from_ordinal(Date(430, 12, 28).ordinal() + 1)
    Date(year=431, month=1, day=1)
    """
    months, day = divmod(ordinal, DAYS_IN_MONTH)
    year, month = divmod(months, len(MONTHS))
    return Date(year, month + 1, day + 1)


def draw_date(rng: random.Random, first: Date, last: Date) -> Date:
    """A day between `first` and `last`, both included."""
    return from_ordinal(rng.randint(first.ordinal(), last.ordinal()))
