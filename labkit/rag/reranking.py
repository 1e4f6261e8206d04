"""Reranking by the decoder's own likelihood: what a first search found, read once more by the model that will answer.

    answerability       how little the model wants to say "not known" when it sees this chunk alone
    question_likelihood how likely it finds the question after the chunk

The second is the published one, and needs a model that has learned to predict questions. The decoders of the course
have not: their loss falls on the assistant's words. They did learn when to say that a passage does not tell, so the
first is the likelihood that means something in them. Each costs one pass over every chunk that is reranked.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from labkit.rag.document import Chunk
from labkit.rag.likelihoods import Reader, answer_log_probabilities, log_probabilities
from labkit.world import NOT_KNOWN

Scorer = Callable[[str, Sequence[Chunk]], list[float]]
"""Scores of some chunks for a question; the greater the better, comparable within one call."""


def rerank(question: str, chunks: Sequence[Chunk], scorer: Scorer) -> list[tuple[Chunk, float]]:
    """The chunks with their scores, best first; ties keep the order they came in.

    >>> near, far = Chunk("a", 0, 3, "far"), Chunk("b", 0, 4, "near")
    >>> [chunk.text for chunk, _ in rerank("?", [near, far], lambda _, chunks: [float(len(c.text)) for c in chunks])]
    ['near', 'far']
    """
    scored = zip(chunks, scorer(question, chunks), strict=True)
    return sorted(scored, key=lambda pair: -pair[1])


def answerability(reader: Reader) -> Scorer:
    """-log P("not known" | chunk, question) in nats, for a decoder that was trained to refuse in these words."""

    def scores(question: str, chunks: Sequence[Chunk]) -> list[float]:
        refusals = answer_log_probabilities(reader, question, [[chunk] for chunk in chunks], NOT_KNOWN)
        return [-refusal for refusal in refusals]

    return scores


def question_likelihood(reader: Reader) -> Scorer:
    """log P(question | chunk) in nats.

    The query likelihood of Ponte and Croft (SIGIR 1998), with a decoder as the model of language: Sachan et al.,
    "Improving Passage Retrieval with Zero-Shot Question Generation" (arXiv 2204.07496, equation 1).
    """

    def scores(question: str, chunks: Sequence[Chunk]) -> list[float]:
        return log_probabilities(reader.model, [_question_after(reader, question, chunk) for chunk in chunks])

    return scores


def _question_after(reader: Reader, question: str, chunk: Chunk) -> tuple[list[int], list[int]]:
    """The tokens of the message up to the question, and those of the question."""
    turn = [{"role": "user", "content": reader.message(question, [chunk])}]
    text = reader.tokenizer.apply_chat_template(turn, tokenize=False)
    encoded = reader.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    start = text.rindex(question)
    ends = [end for _, end in encoded["offset_mapping"]]
    first, last = bisect_right(ends, start), bisect_left(ends, start + len(question))
    return encoded["input_ids"][:first], encoded["input_ids"][first : last + 1]
