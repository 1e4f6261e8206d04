"""Traces survive writing and reading; the shipped one is what its generator makes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.data import card, shipped
from labkit.throughput.trace_making import DOCUMENTS, FILE, RATE, SECONDS, invented_trace
from labkit.throughput.traces import Arrival, at_rate, read_trace, replay, trace_of, write_trace
from tests.throughput.truth import asked, served

arrivals = st.lists(
    st.builds(Arrival, st.integers(0, 10**7).map(lambda ms: ms / 1e3), st.integers(1, 10**5), st.integers(1, 10**5)),
    min_size=1,
).map(lambda found: sorted(found, key=lambda a: a.at))


@given(found=arrivals)
def test_what_is_written_is_read(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("traces") / "trace.jsonl"
    write_trace(path, found)
    assert read_trace(path) == found


def test_fields_of_other_tools_are_allowed(tmp_path):
    path = tmp_path / "mooncake.jsonl"
    path.write_text('{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}\n\n')
    assert read_trace(path) == [Arrival(27.482, 6955, 52)]


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[1, 2]",
        "7",
        '{"timestamp": 1}',
        '{"timestamp": "1", "input_length": 1, "output_length": 1}',
        '{"timestamp": -1, "input_length": 1, "output_length": 1}',
        '{"timestamp": NaN, "input_length": 1, "output_length": 1}',
        '{"timestamp": 1, "input_length": 0, "output_length": 1}',
        '{"timestamp": 1, "input_length": 1.5, "output_length": 1}',
    ],
)
def test_a_bad_line_is_named(tmp_path, line):
    path = tmp_path / "trace.jsonl"
    path.write_text('{"timestamp": 0, "input_length": 1, "output_length": 1}\n' + line + "\n")
    with pytest.raises(ValueError, match="line 2 is not an arrival such as"):
        read_trace(path)


def test_an_unsorted_and_an_empty_trace_are_told(tmp_path):
    path = tmp_path / "trace.jsonl"
    write_trace(path, [Arrival(2.0, 1, 1), Arrival(1.0, 1, 1)])
    with pytest.raises(ValueError, match=r"line 2: 1\.0 s is before the line above"):
        read_trace(path)
    path.write_text("")
    with pytest.raises(ValueError, match="holds no arrival"):
        read_trace(path)


def test_another_rate_keeps_the_shape():
    found = list(invented_trace())
    faster = at_rate(found, rate=10.0)
    assert len(faster) / faster[-1].at == pytest.approx(10.0)
    assert {round(b.at / a.at, 9) for a, b in zip(found, faster, strict=True)} == {round(faster[0].at / found[0].at, 9)}
    with pytest.raises(ValueError, match="above 0"):
        at_rate(found, rate=0.0)


def test_the_shipped_trace_is_what_its_generator_makes(tmp_path):
    write_trace(tmp_path / "again.jsonl", invented_trace())
    assert shipped(FILE).read_bytes() == (tmp_path / "again.jsonl").read_bytes()
    assert card(FILE).make == "python -m labkit.throughput.trace_making --out data"


def test_the_shipped_trace_is_what_its_card_says():
    found = read_trace(shipped(FILE))
    requests = replay(found, np.random.default_rng(0))
    assert [(r.arrival, r.input_length, r.output_length) for r in requests] == [
        (a.at, a.input_length, a.output_length) for a in found
    ]
    assert all(len(r.prompt.split()) == r.input_length for r in requests)
    assert found[-1].at <= SECONDS
    assert len(found) / SECONDS == pytest.approx(RATE, rel=0.25)
    assert max(a.input_length + a.output_length for a in found) <= 448
    long_prompts = sum(a.input_length > 2 * a.output_length and a.input_length > 128 for a in found) / len(found)
    assert long_prompts == pytest.approx(DOCUMENTS, abs=0.1)


def test_a_run_can_be_asked_again(tmp_path):
    """Its trace has the instants at which requests were wanted, not those at which a slow server let them in."""
    run = served(asked([0.5, 0.75, 1.0], output_length=3), [0.4] * 3)
    write_trace(tmp_path / "own.jsonl", trace_of(run))
    assert read_trace(tmp_path / "own.jsonl") == [Arrival(at, 1, 3) for at in (0.5, 0.75, 1.0)]
