"""What a reader gets from a trace: tables that add up, a completeness line that admits, JSON that parses."""

import json

import pytest
import torch
from torch import nn

from labkit.measure.tracing import trace
from tests.measure.handmade import handmade_ceilings


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def traced():
    torch.set_num_threads(1)
    model = nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.Sequential(nn.Linear(128, 64)))
    with trace(ceilings=handmade_ceilings()) as t:
        model(torch.randn(8, 64)).sum().backward()
    return t


def test_totals_are_the_sums_of_the_operators(traced):
    assert traced.flops == sum(op.flops for op in traced.ops)
    assert traced.seconds == pytest.approx(sum(op.seconds for op in traced.ops))
    assert traced.intensity == traced.flops / (traced.bytes_read + traced.bytes_written)
    assert 0 < traced.seconds < traced.wall_seconds
    assert 0 < traced.recording_seconds <= traced.wall_seconds
    assert traced.between_share is None or 0 <= traced.between_share <= 1


def test_by_op_every_call_is_in_one_row(traced):
    rows = traced.table(top=None).to_dicts()
    assert sum(int(row["calls"]) for row in rows) == len(traced.ops)
    assert sum(float(row["share of time"].split()[0]) for row in rows) == pytest.approx(100, abs=len(rows) * 0.05)
    shares = [float(row["share of time"].split()[0]) for row in rows]
    assert shares == sorted(shares, reverse=True)


def test_by_module_a_row_includes_everything_below_it(traced):
    rows = {row["module"]: row for row in traced.table(by="module", top=None).to_dicts()}
    forward = 2 * 8 * 64 * 128
    assert rows["Sequential.0"]["FLOPs"] == "131 kFLOP"
    assert forward == 131072
    assert rows["Sequential"]["FLOPs"] == "262 kFLOP"
    assert rows["Sequential.2"]["FLOPs"] == rows["Sequential.2.0"]["FLOPs"] == "131 kFLOP"
    assert rows["Sequential.2.0 (backward)"]["FLOPs"] == "262 kFLOP"
    assert "(outside modules)" in rows


def test_by_call_the_order_is_that_of_execution(traced):
    table = traced.table(by="call", top=None)
    assert [row[0] for row in table.rows] == [op.name for op in traced.ops]
    assert "shapes" in table.columns


def test_shares_of_the_roofline_are_limit_over_time(traced):
    """The first product: 64 x 128 weights, all in the L2 of the paper machine."""
    index, op = next((i, op) for i, op in enumerate(traced.ops) if op.name == "aten::addmm")
    row = traced.table(by="call", top=None).to_dicts()[index]
    moved = 4 * (128 + 8 * 64 + 64 * 128 + 8 * 128)
    limit = max(2 * 8 * 64 * 128 / 50e9, moved / 100e9)
    assert row["level"] == "L2"
    assert float(row["share of roofline"].split()[0]) == pytest.approx(100 * limit / op.seconds, rel=0.01)


def test_rows_left_out_are_counted(traced):
    assert "more rows not shown" in traced.table(top=2).note
    assert len(traced.table(top=2).rows) == 2


def test_another_kind_of_table_is_refused(traced):
    with pytest.raises(ValueError, match="'op', 'module' or 'call'; got 'layer'"):
        traced.table(by="layer")


def test_json_and_html(traced):
    plain = json.loads(traced.to_json())
    assert plain["flops"] == traced.flops
    assert len(plain["ops"]) == len(traced.ops)
    assert plain["ops"][0]["name"] == traced.ops[0].name
    assert "<table>" in traced._repr_html_()
    assert traced.completeness in traced._repr_html_()


def test_meta_tables_say_that_there_is_no_time():
    with trace(ceilings=handmade_ceilings()) as t:
        torch.empty(4, 8, device="meta") @ torch.empty(8, 2, device="meta")
    (row,) = [row for row in t.table().to_dicts() if row["op"] == "aten::mm"]
    assert (row["time"], row["share of time"], row["share of roofline"]) == ("n/a", "n/a", "n/a")
    assert row["FLOPs"] == "128 FLOP"


def test_unknown_operators_are_unknown_in_the_table_and_bound_the_totals():
    with trace(ceilings=handmade_ceilings()) as t:
        torch.fft.rfft(torch.ones(64))
    (row,) = [row for row in t.table().to_dicts() if "fft" in row["op"]]
    assert row["FLOPs"] == row["read"] == row["written"] == "unknown"
    assert "at least" in t.table().title
    assert "unknown: aten::_fft_r2c (1 call" in t.table().note


def test_limits_are_for_the_device_they_were_measured_on():
    with trace(ceilings=handmade_ceilings(device="cuda")) as t:
        torch.ones(4).exp()
    assert set(t.limits()) == {None}
    assert t.table().rows


def test_two_models_of_one_class_have_two_names():
    first, second, x = nn.Linear(4, 4), nn.Linear(4, 4), torch.randn(2, 4)
    with trace() as t:
        first(x)
        second(x)
        first(x)
    assert [op.module for op in t.ops if op.flops] == ["Linear", "Linear#2", "Linear"]


def test_a_module_made_on_the_fly_is_named_below_its_maker():
    class Maker(nn.Module):
        def forward(self, x):
            return nn.Linear(4, 4)(x)

    with trace() as t:
        Maker()(torch.randn(2, 4))
    assert [op.module for op in t.ops if op.flops] == ["Maker.(Linear)"]
