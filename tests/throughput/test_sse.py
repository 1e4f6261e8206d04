"""Events do not depend on how the network cut the bytes, and agree with the standard's rules read over the whole."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.throughput.sse import EventParser, MalformedStreamError

line_ends = st.sampled_from(["\n", "\r\n", "\r"])
values = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=12)
lines = st.one_of(
    values.map(lambda v: f"data:{v}"),
    values.map(lambda v: f"data: {v}"),
    values.map(lambda v: f": {v}"),
    st.sampled_from(["", "", "data", "event: ping", "id: 7", "retry: 10", "nothing at all"]),
)


def whole(text):
    """The data of each event, after section 9.2.6 of the HTML standard, from the complete text."""
    found, data = [], []
    for line in re.split(r"\r\n|\n|\r", text)[:-1]:
        name, _, value = line.partition(":")
        if not line:
            found += ["\n".join(data)] if data else []
            data = []
        elif name == "data":
            data.append(value[1:] if value.startswith(" ") else value)
    return found


@given(stream=st.lists(st.tuples(lines, line_ends), max_size=20), cuts=st.lists(st.integers(0, 400), max_size=12))
def test_any_cut_of_any_stream(stream, cuts):
    text = "".join(line + end for line, end in stream)
    received = text.encode()
    for borders in ({0, len(received), *cuts}, range(len(received) + 1)):  # anywhere, and after every byte
        parser, found = EventParser(), []
        for begin, end in itertools.pairwise(sorted(borders)):
            found += parser.feed(received[begin:end])
        assert found == whole(text)


def test_separators_that_are_no_line_ends_stay_inside():
    (data,) = EventParser().feed('data: {"text": "a\u2028b\x85c\x0bd"}\n\n'.encode())
    assert data == '{"text": "a\u2028b\x85c\x0bd"}'


@pytest.mark.parametrize("endless", [b"data: " + b"x" * 2000, b"data: x\n" * 200, b": x\n" * 500])
def test_an_event_that_never_ends_is_refused(endless):
    parser = EventParser(longest=1000)
    parts = (endless[begin : begin + 100] for begin in range(0, len(endless), 100))
    with pytest.raises(MalformedStreamError, match="longer than 1000 bytes"):
        list(itertools.chain.from_iterable(map(parser.feed, parts)))


def test_many_small_events_are_no_long_one():
    parser = EventParser(longest=100)
    assert len(list(parser.feed(b"data: x\n\n" * 1000))) == 1000


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(MalformedStreamError, match="not UTF-8"):
        list(EventParser().feed(b"data: \xff\n\n"))
