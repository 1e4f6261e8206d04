"""Definitions on instants set by hand, and what must hold between them for any answer."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.throughput.endpoint import Chunk
from labkit.throughput.metrics import (
    end_to_end_latency,
    inter_chunk_latencies,
    inter_token_latencies,
    send_lag,
    time_per_output_token,
    time_to_first_token,
)
from labkit.throughput.objective import Objective, goodput
from labkit.throughput.record import Record


def answered(scheduled, chunks, sent=None, output_tokens=None):
    """A record of chunks (instant, tokens so far or None)."""
    record = Record(scheduled, 8, 8, sent=scheduled if sent is None else sent, outcome="completed")
    for instant, total in chunks:
        record.note(Chunk("x", total), instant)
    record.output_tokens = output_tokens if output_tokens is not None else record.output_tokens
    record.ended = chunks[-1][0] if chunks else record.sent
    return record


def test_latency_counts_from_the_schedule_and_not_from_the_sending():
    record = answered(10.0, [(12.0, 1), (12.5, 2), (14.0, 3)], sent=11.0)
    assert send_lag(record) == 1.0
    assert time_to_first_token(record) == 2.0
    assert time_per_output_token(record) == 1.0
    assert inter_chunk_latencies(record) == inter_token_latencies(record) == [0.5, 1.5]
    assert end_to_end_latency(record) == 4.0


def test_a_piece_of_several_tokens_is_not_a_token():
    record = answered(0.0, [(1.0, 2), (2.0, 6), (2.5, 6), (3.5, 7)])
    assert inter_token_latencies(record) == [0.25, 0.25, 0.25, 0.25, 1.0], "0.5 s brought text but no token"
    assert inter_chunk_latencies(record) == [1.0, 0.5, 1.0]
    assert time_per_output_token(record) == 2.5 / 6


def test_without_the_servers_counts_tokens_are_pieces_only_if_as_many():
    chunks = [(1.0, None), (2.0, None), (4.0, None)]
    assert inter_token_latencies(answered(0.0, chunks)) is None
    assert inter_token_latencies(answered(0.0, chunks, output_tokens=5)) is None
    assert inter_token_latencies(answered(0.0, chunks, output_tokens=3)) == [1.0, 2.0]
    assert answered(0.0, chunks).tokens_written == 3
    assert answered(0.0, chunks, output_tokens=5).tokens_written == 5


def test_an_answer_without_text_or_of_one_token_has_no_such_times():
    nothing, one = answered(0.0, []), answered(0.0, [(1.0, 1)])
    assert [time_to_first_token(nothing), end_to_end_latency(nothing), time_per_output_token(nothing)] == [None] * 3
    assert time_per_output_token(one) is None
    assert inter_chunk_latencies(one) == inter_token_latencies(one) == []


def test_a_piece_without_text_is_no_first_token_but_its_counts_are_kept():
    record = Record(0.0, 8, 8, sent=0.0)
    record.note(Chunk(""), 0.1)
    record.note(Chunk("x"), 0.5)
    record.note(Chunk("", output_tokens=4, prompt_tokens=11), 0.9)
    assert record.times == array("d", [0.5])
    assert (record.tokens_written, record.tokens_read) == (4, 11)
    assert Record(0.0, 8, 8).tokens_read == 8


@given(gaps=st.lists(st.tuples(st.floats(0, 10), st.integers(1, 5)), min_size=2, max_size=30), wait=st.floats(0, 9))
def test_what_holds_for_any_answer(gaps, wait):
    instant, total, chunks = wait, 0, []
    for gap, tokens in gaps:
        instant, total = instant + gap, total + tokens
        chunks.append((instant, total))
    record = answered(0.0, chunks)
    decoding = end_to_end_latency(record) - time_to_first_token(record)
    assert sum(inter_token_latencies(record)) == pytest.approx(decoding, abs=1e-9)
    assert sum(inter_chunk_latencies(record)) == pytest.approx(decoding, abs=1e-9)
    assert len(inter_token_latencies(record)) == total - gaps[0][1]
    assert time_per_output_token(record) * (total - 1) == pytest.approx(decoding, abs=1e-9)


def test_goodput_counts_only_what_met_every_limit():
    record = answered(0.0, [(1.0, 1), (1.5, 2)])
    assert Objective(ttft=1.0, tpot=0.5, e2e=1.5).met(record)
    for missed in (Objective(ttft=0.9), Objective(tpot=0.4), Objective(e2e=1.4)):
        assert not missed.met(record)
    failed = Record(0.0, 8, 8, outcome="timeout")
    assert not Objective().met(failed)
    assert goodput([record, record, failed], Objective(ttft=1.0), seconds=4.0) == 0.5
    assert str(Objective(ttft=0.5, tpot=0.05)) == "TTFT <= 0.5 s and TPOT <= 0.05 s"
    with pytest.raises(ValueError, match="seconds above 0"):
        Objective(ttft=0.0)
