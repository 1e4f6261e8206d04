"""What each latency means, one function a definition: from the instants of a `Record` to seconds.

The words are shared, the definitions are not, and three tools on one server once gave three throughputs. So each says
where the known ones differ: vLLM's `bench serve`, SGLang's `bench_serving`, NVIDIA's GenAI-Perf and its successor
AIPerf, and MLPerf inference's LoadGen. One difference runs through all: LoadGen counts from the *scheduled* instant, as
is done here; the others count from the instant of sending, and so leave out what the client itself was late.
"""

from __future__ import annotations

from itertools import pairwise

from labkit.throughput.record import UNKNOWN, Record


def send_lag(record: Record) -> float:
    """Seconds from the scheduled instant to the sending: the client's own delay, which should be next to nothing.

    vLLM and SGLang with `--max-concurrency` hold requests back on the client; vLLM reports that as client queue time
    since pull request 54136 (issue 54101), outside its time to first token.

    >>> send_lag(Record(1.0, 8, 8, sent=1.25))
    0.25
    """
    return record.sent - record.scheduled


def time_to_first_token(record: Record) -> float | None:
    """TTFT: from the scheduled instant to the first piece of text; None where none came.

    The wait in line, the prefill and the network; DistServe (arXiv 2401.09670) sets it an objective of its own. vLLM
    takes the first event with a choice even if its text is empty, which in a chat is the one that names the role;
    GenAI-Perf and AIPerf skip empty ones, as here. Without streaming there is no such time.

    >>> record = Record(1.0, 8, 8, sent=1.25)
    >>> record.times.extend([1.5, 1.75])
    >>> time_to_first_token(record)
    0.5
    """
    return record.times[0] - record.scheduled if record.times else None


def time_per_output_token(record: Record) -> float | None:
    """TPOT: seconds a token after the first, (last - first) / (tokens - 1); None for fewer than two tokens.

    So vLLM and SGLang; GenAI-Perf and AIPerf give the same number the name inter-token latency. GuideLLM divides all of
    the latency by all of the tokens. It is an average over one answer, and hides a pause in the middle.

    >>> record = Record(0.0, 8, 8, output_tokens=5)
    >>> record.times.extend([1.0, 1.5, 3.0])
    >>> time_per_output_token(record)
    0.5
    """
    if not record.times or record.tokens_written < 2:
        return None
    return (record.times[-1] - record.times[0]) / (record.tokens_written - 1)


def inter_chunk_latencies(record: Record) -> list[float]:
    """Seconds between pieces of text, which is what a reader sees: `itl` of vLLM, inter-chunk latency of AIPerf.

    >>> record = Record(0.0, 8, 8)
    >>> record.times.extend([1.0, 1.5, 3.0])
    >>> inter_chunk_latencies(record)
    [0.5, 1.5]
    """
    return [after - before for before, after in pairwise(record.times)]


def inter_token_latencies(record: Record) -> list[float] | None:
    """ITL: the gap before a piece divided among its tokens, each counted, as SGLang does.

    None where the server does not tell how many tokens a piece has and the pieces are not as many as the tokens: with
    speculative decoding, a piece taken for a token makes a server look slower than it is (vLLM issue 27485).

    >>> record = Record(0.0, 8, 8, output_tokens=3)
    >>> record.times.extend([1.0, 2.0]); record.totals.extend([1, 3])
    >>> inter_token_latencies(record)
    [0.5, 0.5]
    """
    told = UNKNOWN not in record.totals
    if not told and record.output_tokens != len(record.times):
        return None
    totals = list(record.totals) if told else list(range(1, len(record.times) + 1))
    found: list[float] = []
    for gap, (before, after) in zip(inter_chunk_latencies(record), pairwise(totals), strict=True):
        found += [gap / (after - before)] * (after - before) if after > before else []
    return found


def end_to_end_latency(record: Record) -> float | None:
    """E2EL: from the scheduled instant to the last piece of text; None where none came.

    vLLM ends at the last token too, AIPerf and LoadGen at the end of the response.

    >>> record = Record(1.0, 8, 8)
    >>> record.times.extend([1.5, 3.0])
    >>> end_to_end_latency(record)
    2.0
    """
    return record.times[-1] - record.scheduled if record.times else None
