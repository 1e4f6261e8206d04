"""Codes of few bits side by side in bytes.

The oracle writes the stream down as text, digit by digit; the notebook adds up one large number.
"""

from __future__ import annotations

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge


def _cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("the example", codes=[7, 0, 5], bits=3),
        Case("nothing to pack", codes=[], bits=4),
        Case("one code", codes=[9], bits=4),
        Case("an odd number of half bytes", codes=[1, 2, 15], bits=4),
        Case("whole bytes already", codes=[200, 3, 255], bits=8),
        Case("eight codes in three bytes", codes=[1, 2, 3, 4, 5, 6, 7, 0], bits=3),
        Case("zeros keep their place", codes=[0, 0, 0, 1], bits=2),
    ]
    return [*fixed, *(_drawn(rng, bits) for bits in (2, 3, 3, 4, 4, 8))]


def _drawn(rng: np.random.Generator, bits: int) -> Case:
    return Case(codes=rng.integers(0, 2**bits, int(rng.integers(5, 20))).tolist(), bits=bits)


def _stream(codes: list[int], bits: int) -> list[int]:
    digits = "".join(f"{code:0{bits}b}"[::-1] for code in codes)
    return [int(digits[start : start + 8][::-1], 2) for start in range(0, len(digits), 8)]


def _first_on_top(codes: list[int], bits: int) -> list[int]:
    digits = "".join(f"{code:0{bits}b}" for code in codes)
    return [int(digits[start : start + 8].ljust(8, "0"), 2) for start in range(0, len(digits), 8)]


def _whole_codes(codes: list[int], bits: int) -> list[int]:
    """As many codes a byte as fit without being cut."""
    room = 8 // bits
    parts = [codes[start : start + room] for start in range(0, len(codes), room)]
    return [sum(code << (bits * n) for n, code in enumerate(part)) for part in parts]


PACK_CODES = Exercise(
    name="pack_codes",
    title="Bits into bytes",
    difficulty=2,
    importance=4,
    minutes=8,
    cases=_cases,
    judge=oracle_judge(
        _stream,
        (
            Misconception(
                lambda codes, bits: codes,
                "you gave every code a byte of its own; the bits are fewer, the bytes are not, and bytes are what is saved",
            ),
            Misconception(
                _first_on_top,
                "you put the first code into the highest bits; here the first one takes the lowest",
            ),
            Misconception(
                _whole_codes,
                "you left bits of a byte empty where no whole code fits; the stream runs on across the border of a byte",
            ),
            Misconception(
                lambda codes, bits: _stream(codes, bits)[: len(codes) * bits // 8],
                "you dropped the last byte because it is not full; codes are in it, so round the number of bytes up",
            ),
            Misconception(
                lambda codes, bits: _stream(codes, bits)[::-1],
                "you turned the order of the bytes; the byte with the first code comes first",
            ),
            Misconception(
                lambda codes, bits: [*_stream(codes, bits), 0],
                "you added a byte that holds nothing; round the number of bytes up, but not beyond",
            ),
        ),
    ),
    hints=(
        "Think of one long row of bits. Where does code n begin in it, and how many bytes does the row fill?",
        "Code n begins at bit n * bits: as a number it is worth code * 2 ** (n * bits). Python's numbers have room for the whole row.",
        "number = sum of code << (n * bits); count = len(codes) * bits over 8, rounded up; return list(number.to_bytes(count, 'little'))",
    ),
)
