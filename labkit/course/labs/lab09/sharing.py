"""How much of a prompt the prefix cache gives back.

The oracle asks from the longest prefix down; the notebook walks up and stops at the first block that is missing.
"""

from __future__ import annotations

from itertools import takewhile

import numpy as np

from labkit.course.exercise import Case, Exercise
from labkit.course.oracle import Misconception, oracle_judge

Tokens = list[int]


def _cases(rng: np.random.Generator) -> list[Case]:
    fixed = [
        Case("the example", prompt=[1, 2, 3, 4, 5, 6], remembered=[[1, 2], [1, 2, 3, 4], [7, 8]], block_size=2),
        Case("nothing remembered", prompt=[1, 2, 3], remembered=[], block_size=2),
        Case("all of it remembered", prompt=[1, 2, 3, 4], remembered=[[1, 2], [1, 2, 3, 4]], block_size=2),
        Case("one token", prompt=[5], remembered=[[5]], block_size=1),
        Case("the same tokens behind others", prompt=[9, 9, 3, 4, 5], remembered=[[1, 2], [1, 2, 3, 4]], block_size=2),
        Case("its beginning was reused", prompt=[1, 2, 3, 4, 5], remembered=[[1, 2, 3, 4]], block_size=2),
    ]
    return [*fixed, *(_drawn(rng, kind) for kind in ("part", "all", "hole", "rest", "shifted", "inner"))]


def _drawn(rng: np.random.Generator, kind: str) -> Case:
    """`part` of a prompt is remembered; `all` of it; with a `hole`; all but the `rest` that fills no block.

    Or another prompt that holds its blocks `shifted`, behind one of its own, or its `inner` blocks behind another first.
    """
    size, blocks = int(rng.choice([3, 4, 8])), int(rng.integers(4, 7))
    prompt = rng.integers(0, 50, size * blocks).tolist()
    ends = [size * n for n in range(1, blocks + 1)]
    if kind == "shifted":
        other = [t + 50 for t in prompt[:size]] + prompt
        return Case(prompt=[*prompt, 7], remembered=[other[: end + size] for end in (0, *ends)], block_size=size)
    if kind == "inner":
        other = [t + 50 for t in prompt[:size]] + prompt[size:]
        return Case(prompt=[*prompt, 7], remembered=[other[:end] for end in ends], block_size=size)
    if kind == "part":
        ends = ends[: blocks - 2]
        prompt = [*prompt, *rng.integers(0, 50, int(rng.integers(1, size))).tolist()]
        other = prompt[: ends[-1] + 2] + [99] * size  # another prompt that parts with this one within a block
        return Case(prompt=prompt, remembered=[*(prompt[:e] for e in ends), other[: ends[-1] + size]], block_size=size)
    if kind == "hole":
        del ends[int(rng.integers(1, blocks - 1))]
    if kind != "all":
        prompt = [*prompt, 7]
    remembered = [prompt[:end] for end in ends]
    rng.shuffle(remembered)
    return Case(prompt=prompt, remembered=remembered, block_size=size)


def _downwards(prompt: Tokens, remembered: list[Tokens], block_size: int) -> int:
    """The longest prefix of full blocks below the whole prompt of which every shorter one is remembered too."""
    known = {tuple(prefix) for prefix in remembered}
    for end in range((len(prompt) - 1) // block_size * block_size, 0, -block_size):
        if all(tuple(prompt[:shorter]) in known for shorter in range(block_size, end + 1, block_size)):
            return end
    return 0


def _upwards(prompt: Tokens, remembered: list[Tokens], size: int, most: int, stop: bool = True) -> int:
    found = [prompt[:end] in remembered for end in range(size, most + 1, size)]
    return size * sum(takewhile(bool, found) if stop else found)


def _by_token(prompt: Tokens, remembered: list[Tokens], block_size: int) -> int:
    def common(prefix: Tokens) -> int:
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(prompt, prefix, strict=False)))

    return min(max(map(common, remembered), default=0), len(prompt) - 1)


def _by_content(prompt: Tokens, remembered: list[Tokens], size: int) -> int:
    known = [prefix[-size:] for prefix in remembered]
    found = [prompt[end - size : end] in known for end in range(size, len(prompt), size)]
    return size * sum(takewhile(bool, found))


def _anywhere(prompt: Tokens, remembered: list[Tokens], size: int) -> int:
    known = [prefix[-size:] for prefix in remembered]
    return size * sum(prompt[end - size : end] in known for end in range(size, len(prompt), size))


CACHED_TOKENS = Exercise(
    name="cached_tokens",
    title="What need not be read again",
    difficulty=3,
    importance=4,
    minutes=10,
    cases=_cases,
    judge=oracle_judge(
        _downwards,
        (
            Misconception(
                lambda prompt, remembered, size: _upwards(prompt, remembered, size, len(prompt)),
                "you took all of the prompt out of the cache; the next token is drawn from the last one's logits, so that one must be computed",
            ),
            Misconception(
                _by_token,
                "you counted single tokens; only full blocks are remembered and shared",
            ),
            Misconception(
                _by_content,
                "you compared blocks by their own tokens; keys and values depend on everything before, so the whole prefix must be the same",
            ),
            Misconception(
                _anywhere,
                "you looked for blocks anywhere; one whose beginning differs holds other keys and values",
            ),
            Misconception(
                lambda prompt, remembered, size: _upwards(prompt, remembered, size, len(prompt) - 1, stop=False),
                "you went on behind a block that is missing; what is computed must be one piece from the beginning",
            ),
            Misconception(
                lambda prompt, remembered, size: _downwards(prompt, remembered, size) // size,
                "you returned blocks; asked for are tokens",
            ),
            Misconception(
                lambda prompt, remembered, size: _upwards(prompt, remembered, size, len(prompt) - size),
                "you always left a whole block to compute; one token is enough to draw from",
            ),
        ),
    ),
    hints=(
        "Which ends of full blocks can be found at all, if at least the last token has to be computed?",
        "Try the prefixes of block_size, 2 * block_size, ... tokens, shorter than the prompt, and stop at the first that is not remembered.",
        "found = 0; while found + block_size < len(prompt) and prompt[:found + block_size] in remembered: found += block_size",
    ),
)
