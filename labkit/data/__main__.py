"""`python -m labkit.data` lists every shipped file and says which are missing or damaged."""

from __future__ import annotations

import sys

from labkit.data import cards, verify


def main() -> None:
    problems = verify()
    if not problems:
        for card in cards():
            print(f"{card.bytes:>12,} B  {card.licence}  {card.name}: {card.summary}")
    sys.exit("\n".join(problems) or None)


if __name__ == "__main__":
    main()
