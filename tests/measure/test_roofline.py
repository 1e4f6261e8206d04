"""The roofline figure: what it shows, what it says, what it refuses."""

import pytest
import torch

from labkit.measure.figure import Figure
from labkit.measure.rooflines import roofline
from labkit.measure.roofpoints import bound, points
from labkit.measure.tracing import trace
from tests.measure.handmade import handmade_ceilings


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def traced():
    torch.set_num_threads(1)
    a, x = torch.randn(1024, 1024), torch.randn(1, 1024)
    with trace(ceilings=handmade_ceilings()) as t:
        for _ in range(3):
            x @ a
            x.exp()
            x.view(32, 32)
    return t


def labels(figure: Figure) -> str:
    found = [figure.figure.get_suptitle()]
    for axes in figure.figure.axes:
        found += [t.get_text() for t in axes.texts] + [axes.get_xlabel(), axes.get_ylabel()]
    for legend in figure.figure.legends:
        found += [t.get_text() for t in legend.get_texts()]
    return "\n".join(found)


def test_it_shows_roofs_ridges_points_and_the_strip(traced):
    figure = roofline(traced, references=[])
    text = labels(figure)
    for expected in ("L2", "L3", "memory", "float32 50 GFLOP/s", "ridge 5", "mm", "exp", "no FLOPs"):
        assert expected in text
    assert "bfloat16" not in text  # nothing in the trace multiplied in it
    assert figure.alt.startswith("Roofline of paper machine")
    assert figure.png().startswith(b"\x89PNG")
    strip, main = figure.figure.axes
    assert sum(len(c.get_offsets()) for c in strip.collections) == 1  # exp; views move nothing
    assert sum(len(c.get_offsets()) for c in main.collections) == 1  # mm


def test_the_title_states_where_the_time_goes(traced):
    """One row times a matrix does half a FLOP per byte, far left of the ridge at 5."""
    assert roofline(traced, references=[]).figure.get_suptitle().startswith("100 % of the time is below the ridge")
    big = torch.randn(256, 256)
    with trace(ceilings=handmade_ceilings()) as t:
        big @ big
    assert roofline(t, references=[]).figure.get_suptitle().startswith("100 % of the time is beyond the ridge")


def test_points_sum_operators_of_like_intensity(traced):
    product, other = sorted(points(traced), key=lambda p: p.flops, reverse=True)
    assert product.flops == 3 * 2 * 1024 * 1024
    assert product.nbytes == 3 * 4 * (1024 * 1024 + 2 * 1024)
    assert (other.flops, other.nbytes) == (0, 3 * 4 * 2048)
    shares = bound(traced, handmade_ceilings())
    assert shares.memory == 1
    expected = sum(limit.seconds for limit in traced.limits()) / sum(p.seconds for p in points(traced))
    assert shares.of_roofline == pytest.approx(expected)


def test_recorded_machines_stand_behind(traced, tmp_path):
    file = tmp_path / "ceilings-other.json"
    file.write_text(handmade_ceilings("the other machine", scale=3).to_json(), encoding="utf-8")
    assert "the other machine" in labels(roofline(traced, references=[file]))
    file.write_text(handmade_ceilings("a GPU", device="cuda").to_json(), encoding="utf-8")
    assert "a GPU" not in labels(roofline(traced, references=[file]))


@pytest.mark.parametrize("content", ["", "{}", '{"device": 3}', "[1]"])
def test_a_reference_that_does_not_read_is_named(traced, tmp_path, content):
    file = tmp_path / "broken.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"broken\.json does not hold the ceilings of a machine"):
        roofline(traced, references=[file])


def test_shipped_references_may_be_none(traced):
    assert roofline(traced).alt


def test_a_trace_without_times_is_refused():
    with trace(ceilings=handmade_ceilings()) as t:
        torch.empty(4, device="meta").exp()
    with pytest.raises(ValueError, match="nothing to show"):
        roofline(t)


def test_only_operators_without_flops():
    with trace(ceilings=handmade_ceilings()) as t:
        torch.randn(1000).exp()
    assert "100 % of the time goes to operators without FLOPs" in t.plot().alt


def test_a_dtype_without_a_measured_peak_is_still_drawn():
    a = torch.randn(8, 8, dtype=torch.float64)
    with trace(ceilings=handmade_ceilings()) as t:
        a @ a
    assert roofline(t, references=[]).alt
