"""Documents into chunks: windows of fixed size, whole sentences, or whole blocks under their heading.

Each chunk is a piece of its document character by character, so what is found can be pointed at. `size` and `overlap`
count units: words, or the tokens of the model that will read them (`token_spans`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from labkit.rag.document import Chunk, Document
from labkit.rag.spans import Span, Units, block_spans, is_heading, sentence_spans, word_spans

Chunker = Callable[[Document], list[Chunk]]


def fixed_chunks(document: Document, size: int = 64, overlap: int = 0, units: Units = word_spans) -> list[Chunk]:
    """Windows of `size` units, each beginning with the last `overlap` of the one before; the last may be shorter.

    Raises `ValueError` unless 0 <= overlap < size.

    >>> [c.text for c in fixed_chunks(Document("d", "a b c d e"), size=3, overlap=1)]
    ['a b c', 'c d e']
    """
    _check(size, overlap)
    return _chunks(document, _windows(units(document.text), size, overlap))


def sentence_chunks(document: Document, size: int = 64, overlap: int = 0, units: Units = word_spans) -> list[Chunk]:
    """As many whole sentences as fit into `size` units; the last ones that fit into `overlap` are said again.

    A sentence longer than `size` is cut like `fixed_chunks` does. Raises `ValueError` as that does.

    >>> [c.text for c in sentence_chunks(Document("d", "One two. Three. Four five six."), size=3)]
    ['One two. Three.', 'Four five six.']
    """
    _check(size, overlap)
    pieces = _at_most(size, document.text, sentence_spans(document.text), units)
    return _chunks(document, _filled(pieces, size, overlap))


def structure_chunks(document: Document, size: int = 128, units: Units = word_spans) -> list[Chunk]:
    """Paragraphs, lists and code as they stand, as many as fit into `size` units, none across a Markdown heading.

    A heading opens the chunk of what stands under it. A block longer than `size` is cut into sentences. Raises
    `ValueError` unless size is at least 1.

    >>> [c.text for c in structure_chunks(Document("d", "# A\\none\\n\\ntwo\\n# B\\nthree"))]
    ['# A\\none\\n\\ntwo', '# B\\nthree']
    """
    _check(size, 0)
    text = document.text
    chunks: list[Chunk] = []
    for section in _sections(text):
        chunks += _chunks(document, _filled(_at_most(size, text, section, units, sentences=True), size, overlap=0))
    return chunks


def _check(size: int, overlap: int) -> None:
    if not 0 <= overlap < size:
        raise ValueError(f"Chunks need 0 <= overlap < size; got overlap={overlap} and size={size}.")


def _windows(units: Sequence[Span], size: int, overlap: int) -> Iterator[Span]:
    for first in range(0, len(units), size - overlap):
        window = units[first : first + size]
        yield window[0][0], window[-1][1]
        if first + size >= len(units):
            return


def _at_most(
    size: int, text: str, pieces: Sequence[Span], units: Units, sentences: bool = False
) -> list[tuple[Span, int]]:
    """The pieces with their numbers of units, those longer than `size` cut; with `sentences`, into these first."""
    found: list[tuple[Span, int]] = []
    for start, end in pieces:
        inside = [(start + a, start + b) for a, b in units(text[start:end])]
        if len(inside) <= size:
            found.append(((start, end), len(inside)))
        elif sentences:
            shorter = [(start + a, start + b) for a, b in sentence_spans(text[start:end])]
            found += _at_most(size, text, shorter, units)
        else:
            counts = [min(size, len(inside) - first) for first in range(0, len(inside), size)]
            found += zip(_windows(inside, size, 0), counts, strict=True)
    return found


def _filled(pieces: Sequence[tuple[Span, int]], size: int, overlap: int) -> Iterator[Span]:
    """Spans over neighbouring pieces that hold at most `size` units together."""
    first = 0
    while pieces:
        last, units = first, pieces[first][1]
        while last + 1 < len(pieces) and units + pieces[last + 1][1] <= size:
            last += 1
            units += pieces[last][1]
        yield pieces[first][0][0], pieces[last][0][1]
        if last + 1 == len(pieces):
            return
        first = _next_first(pieces, first, last, size, overlap)


def _next_first(pieces: Sequence[tuple[Span, int]], first: int, last: int, size: int, overlap: int) -> int:
    """The piece after `last`, or one before it as long as what is said again fits and the chunk still gets further."""
    place, room = last + 1, min(overlap, size - pieces[last + 1][1])
    while place - 1 > first and pieces[place - 1][1] <= room:
        place -= 1
        room -= pieces[place][1]
    return place


def _sections(text: str) -> Iterator[list[Span]]:
    """Blocks in groups that begin at headings."""
    section: list[Span] = []
    for start, end in block_spans(text):
        if is_heading(text[start:end]) and section and not is_heading(text[slice(*section[-1])]):
            yield section
            section = []
        section.append((start, end))
    if section:
        yield section


def _chunks(document: Document, spans: Iterator[Span]) -> list[Chunk]:
    return [Chunk(document.id, start, end, document.text[start:end], document.heading) for start, end in spans]
