"""Windows and sinks against masks and positions written out, in chunks of any size."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.generation import WindowCache, bench_window
from labkit.kernels.attention import attention_reference
from labkit.kernels.rotary import rotary
from labkit.models.cache import NoCache


class MaskedByHand(NoCache):
    """The same attention without a cache: every query turns every key anew, for its own picture of where they stand."""

    def __init__(self, window, sinks, frequencies):
        self.window, self.sinks, self.frequencies = window, sinks, frequencies

    def begin(self, tokens, positions):
        self.positions = torch.zeros(1, tokens.shape[1])  # no rotation by the decoder
        return self

    def end(self):
        pass

    def attend(self, layer, q, k, v):
        outs = []
        for t in range(q.shape[2]):
            kept = [s for s in range(t + 1) if s < self.sinks or s > t - self.window]
            places = torch.arange(len(kept)).float()  # side by side, as the paper numbers them
            angles = (places[:, None] * self.frequencies)[None, None]
            keys = rotary(k[:, :, kept], angles.cos(), angles.sin())
            query = rotary(q[:, :, t : t + 1], angles[:, :, -1:].cos(), angles[:, :, -1:].sin())
            outs.append(attention_reference(query, keys, v[:, :, kept]))
        return torch.cat(outs, dim=2)


@settings(deadline=None, max_examples=30)
@given(data=st.data())
@torch.no_grad()
def test_any_chunks_equal_the_picture_drawn_by_hand(target, data):
    window, sinks = data.draw(st.integers(1, 9)), data.draw(st.integers(0, 3))
    tokens = torch.randint(0, 64, (2, 30))
    frequencies = target.rotary.frequencies
    expected = target(tokens, MaskedByHand(window, sinks, frequencies))
    cache = WindowCache(target.config, 2, window, sinks)
    found, n = [], 0
    while n < 30:
        size = data.draw(st.integers(1, 12))
        found.append(target(tokens[:, n : n + size], cache))
        n += size
    torch.testing.assert_close(torch.cat(found, dim=1), expected, atol=1e-4, rtol=1e-4)
    assert cache.lengths == [30, 30]


@torch.no_grad()
def test_padded_rows_are_those_rows_alone(target):
    tokens = torch.randint(0, 64, (2, 20))
    cache = WindowCache(target.config, 2, 5, 2)
    positions = torch.stack([torch.arange(20), torch.arange(20) - 8]).clamp(min=-1)
    target(tokens, cache, positions)
    step = target(tokens[:, :1], cache)
    assert cache.lengths == [21, 13]
    for row, start in ((0, 0), (1, 8)):
        alone = WindowCache(target.config, 1, 5, 2)
        target(tokens[row : row + 1, start:], alone)
        torch.testing.assert_close(target(tokens[row : row + 1, :1], alone), step[row : row + 1], atol=1e-4, rtol=1e-4)


def test_its_bytes_do_not_grow(target):
    cache = WindowCache(target.config, 1, window=6, sinks=2)
    assert cache.nbytes == target.config.cache_elements_per_token() * (6 + 2 + 1) * 4
    before = cache.keys.data_ptr()
    with torch.no_grad():
        for _ in range(3):
            target(torch.randint(0, 64, (1, 50)), cache)
    assert cache.keys.data_ptr() == before
    assert cache.lengths == [150]


def test_misuse_is_named(target):
    with pytest.raises(ValueError, match="window of 1"):
        WindowCache(target.config, 1, 0)
    with pytest.raises(ValueError, match="2 rows for a cache of 1"):
        target(torch.zeros(2, 1, dtype=torch.long), WindowCache(target.config, 1, 4))


@pytest.mark.slow
def test_the_bench_tells_bytes_time_and_loss_of_each_window(target, monkeypatch):
    for name, value in {"CONTEXT": 100, "WINDOWS": (8, 30), "SINKS": (0, 2), "ROUNDS": 5, "CHUNK": 7}.items():
        monkeypatch.setattr(bench_window, name, value)
    rows = bench_window.windows(target)
    assert [(row["window"], row["sinks"]) for row in rows] == [(8, 0), (8, 2), (30, 0), (30, 2)]
    assert rows[0]["bytes"] == pytest.approx(9 / 102)  # of both caches one slot a row is spare
    assert all(row["foretold"] > 1 and row["speed-up"] > 0 for row in rows)


@torch.inference_mode()
def test_what_a_window_forgets_is_told_by_a_text_that_comes_twice(target, monkeypatch):
    monkeypatch.setattr(bench_window, "CHUNK", 7)
    text = torch.randint(0, 64, (1, 20), generator=torch.Generator().manual_seed(0))
    whole = bench_window.nats_twice(target, text, target.new_cache(1, 40))
    logits = target(torch.cat([text, text], dim=1))[0]
    again = torch.nn.functional.cross_entropy(logits[19:39], text[0])
    assert whole["nats, again"] == pytest.approx(float(again), rel=1e-4)
    first = torch.nn.functional.cross_entropy(logits[:19], text[0, 1:])
    assert whole["nats, first time"] == pytest.approx(float(first), rel=1e-4)
    for sinks in (0, 3):
        kept = bench_window.nats_twice(target, text, WindowCache(target.config, 1, 40, sinks))
        assert kept == pytest.approx(whole, rel=1e-4)
        assert bench_window.nats_twice(target, text, WindowCache(target.config, 1, 4, sinks)) != pytest.approx(whole)
