"""The awkward cases: each is right, or refused in one sentence."""

import gc
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack

from labkit.measure.costs import Cost, register_cost
from labkit.measure.tracing import trace


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _leaves_nothing_behind():
    hooks = nn.modules.module._global_forward_hooks, nn.modules.module._global_forward_pre_hooks
    before = [len(h) for h in hooks]
    yield
    assert [len(h) for h in hooks] == before
    assert not _get_current_dispatch_mode_stack()
    assert threading.getprofile() is None
    assert sys.getprofile() is None


def named(t, name):
    return [op for op in t.ops if op.name == name]


def test_meta_tensors_have_a_cost_and_no_time():
    with trace() as t:
        torch.empty(4, 8, device="meta") @ torch.empty(8, 2, device="meta")
    (op,) = named(t, "aten::mm")
    assert (op.flops, op.bytes_read, op.bytes_written, op.seconds) == (2 * 4 * 8 * 2, 4 * 48, 4 * 8, None)
    assert t.seconds is None
    assert t.between_share is None


@pytest.mark.parametrize("inside", [True, False])
def test_fake_tensors_have_a_cost_and_no_time(inside):
    def product():
        return torch.empty(4, 8) @ torch.empty(8, 2)

    if inside:
        with trace() as t, FakeTensorMode():
            product()
    else:
        with FakeTensorMode(), trace() as t:
            product()
    (op,) = named(t, "aten::mm")
    assert (op.flops, op.bytes_read, op.bytes_written, op.seconds) == (2 * 4 * 8 * 2, 4 * 48, 4 * 8, None)


def test_empty_tensors_cost_nothing():
    with trace() as t:
        torch.empty(0, 8) @ torch.empty(8, 2)
        torch.empty(3, 0) + 1
        torch.empty(3, 0) @ torch.empty(0, 2)  # inner length 0: only the result is written
    assert [(op.flops, op.bytes_read) for op in named(t, "aten::mm")] == [(0, 4 * 16), (0, 0)]
    assert [op.bytes_written for op in named(t, "aten::mm")] == [0, 4 * 6]
    assert not [op for op in t.ops if op.unknown]


def test_an_empty_block():
    with trace() as t:
        pass
    assert (t.flops, t.bytes_read, t.bytes_written, t.intensity, t.ops) == (0, 0, 0, None, [])


def test_an_exception_propagates_and_leaves_what_ran():
    traces = []

    def failing():
        with trace() as t:
            traces.append(t)
            torch.ones(2, 2) @ torch.ones(2, 2)
            1 / 0  # noqa: B018

    with pytest.raises(ZeroDivisionError):
        failing()
    (t,) = traces
    assert len(named(t, "aten::mm")) == 1
    assert t.interrupted == "ZeroDivisionError: division by zero"
    assert "ended early by ZeroDivisionError" in t.completeness


def test_an_operator_that_fails_is_not_recorded():
    with trace() as t, pytest.raises(RuntimeError):
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert not named(t, "aten::mm")
    assert t.interrupted is None


def test_a_module_that_fails_does_not_lend_its_name_to_what_follows():
    class Failing(nn.Module):
        def forward(self, x):
            raise ValueError("no")

    with trace() as t:
        with pytest.raises(ValueError, match="no"):
            nn.Sequential(nn.ReLU(), Failing())(torch.ones(2))
        torch.ones(2).exp()
    assert [op.module for op in named(t, "aten::exp")] == [""]


def test_nested_traces_are_refused_and_the_outer_one_goes_on():
    with trace() as t:
        with pytest.raises(RuntimeError, match="already recording"), trace():
            pass
        torch.ones(3).exp()
    assert named(t, "aten::exp")


def test_threads_started_inside_are_recorded():
    def work():
        torch.ones(2, 3) @ torch.ones(3, 4)

    with trace() as t:
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        work()
    assert [op.flops for op in named(t, "aten::mm")] == [48] * 4
    assert {op.thread for op in named(t, "aten::mm")} == {0, 1, 2, 3}
    assert [op.thread for op in named(t, "aten::mm")][-1] == 0


def test_a_pool_made_inside_is_seen_and_one_that_outlives_the_trace_does_no_harm():
    with ThreadPoolExecutor(1) as old:
        old.submit(torch.ones, 2).result()
        with trace() as t:
            old.submit(torch.exp, torch.ones(2)).result()  # this thread ran before: it cannot be seen
            new = ThreadPoolExecutor(1)
            new.submit(torch.sin, torch.ones(2)).result()
        assert (len(named(t, "aten::sin")), len(named(t, "aten::exp"))) == (1, 0)
        recorded = len(t.ops)
        assert torch.equal(new.submit(torch.sin, torch.ones(2)).result(), torch.ones(2).sin())
        new.shutdown()
        assert len(t.ops) == recorded


def test_tracing_again_after_threads_outlived_a_trace():
    with trace():
        pool = ThreadPoolExecutor(1)
        pool.submit(torch.ones, 2).result()
    with trace() as t:
        torch.ones(2).exp()
    pool.shutdown()
    assert named(t, "aten::exp")


def test_tensors_are_not_kept_alive():
    with trace() as t:
        x = torch.ones(1000)
        y = x.exp()
        alive = weakref.ref(y.untyped_storage())
        freed = weakref.ref(y)
        del y
        gc.collect()
        assert freed() is None
    del alive
    assert t.ops


def test_backward_counts_and_goes_to_the_module_that_ran_forward():
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    x = torch.randn(3, 8, requires_grad=True)
    with trace() as t:
        model(x).sum().backward()
    products = [(op.module, op.backward) for op in t.ops if op.flops]
    assert products.count(("Sequential.0", False)) == products.count(("Sequential.2", False)) == 1
    assert products.count(("Sequential.0", True)) == products.count(("Sequential.2", True)) == 2
    assert t.flops == 3 * 2 * 3 * (8 * 16 + 16 * 4)


def test_checkpointed_layers_run_forward_twice():
    """Two products forward, four backward, and the first again; the last need not run again for its own gradient."""
    layer = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    x = torch.randn(3, 8, requires_grad=True)
    with trace() as t:
        torch.utils.checkpoint.checkpoint(layer, x, use_reentrant=False).sum().backward()
    assert t.flops == 7 * 2 * 3 * 8 * 8


def test_autocast_shows_the_casts_and_the_lower_precision():
    layer, x = nn.Linear(8, 8), torch.randn(3, 8)
    with trace() as t, torch.autocast("cpu", torch.bfloat16):
        layer(x)
    (op,) = [op for op in t.ops if op.flops]
    assert (op.dtype, op.flops) == ("bfloat16", 2 * 3 * 64)
    assert len(named(t, "aten::_to_copy")) == 3


def test_inference_mode_shows_what_runs_and_not_its_composite():
    layer, x = nn.Linear(8, 8), torch.randn(2, 3, 8)
    with torch.inference_mode(), trace() as t:
        layer(x)
    assert t.flops == 2 * 6 * 64
    assert not named(t, "aten::linear")


@pytest.mark.filterwarnings("ignore:Using `torch.compile")
def test_compiled_code_runs_eagerly_and_the_trace_says_so():
    compiled = torch.compile(nn.Sequential(nn.Linear(8, 8), nn.ReLU()))
    with trace() as t:
        out = compiled(torch.ones(3, 8))
    assert out.shape == (3, 8)
    assert t.flops == 2 * 3 * 64
    assert {op.module for op in t.ops if op.flops} == {"Sequential.0"}
    assert any("torch.compile" in note for note in t.notes)


def test_compiling_inside_a_trace():
    with trace() as t:
        compiled = torch.compile(lambda x: x @ x, backend="eager")
        compiled(torch.ones(3, 3))
    assert t.flops == 2 * 27


@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_sparse_operands_are_unknown_and_never_counted_as_dense():
    sparse = torch.eye(8).to_sparse_csr()
    with trace() as t:
        sparse @ torch.ones(8, 4)
    products = [op for op in t.ops if "mm" in op.name]
    assert products
    assert all(op.flops is None and op.bytes_read is None and "sparse" in op.unknown for op in products)
    assert "unknown: " in t.completeness


@pytest.mark.filterwarnings("ignore")
def test_nested_tensors_are_unknown():
    nested = torch.nested.nested_tensor([torch.ones(2, 8), torch.ones(3, 8)])
    with trace() as t:
        nn.functional.linear(nested, torch.ones(4, 8))
    assert t.flops == 0
    assert any(op.unknown == "sparse or nested operand" for op in t.ops)


@pytest.mark.filterwarnings("ignore")
def test_jagged_tensors_are_counted_by_their_values():
    """Five rows of 8 meet a matrix of 8 x 4, however they are cut into sequences."""
    nested = torch.nested.nested_tensor([torch.ones(2, 8), torch.ones(3, 8)], layout=torch.jagged)
    with trace() as t:
        nn.functional.linear(nested, torch.ones(4, 8))
    assert t.flops == 2 * 5 * 8 * 4


@torch.library.custom_op("labkit_test::scale", mutates_args=())
def scale(x: torch.Tensor, by: float) -> torch.Tensor:
    return x * by


@torch.library.custom_op("labkit_test::product", mutates_args=())
def product(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return x @ w


def test_a_custom_operator_without_a_rule_is_unknown_and_timed():
    with trace() as t:
        scale(torch.ones(4), 2.0)
    (op,) = named(t, "labkit_test::scale")
    assert (op.flops, op.bytes_read, op.bytes_written) == (None, None, None)
    assert op.seconds > 0
    assert "labkit_test::scale (1 call" in t.completeness
    assert t.accounted_time < 1
    assert t.accounted_bytes < 1


def test_a_custom_operator_states_its_cost():
    register_cost(torch.ops.labkit_test.product, lambda x, w, *, out: Cost(2 * out.numel * x.shape[1]))
    with trace() as t:
        product(torch.ones(4, 8), torch.ones(8, 2))
    (op,) = named(t, "labkit_test::product")
    assert (op.flops, op.bytes_read, op.bytes_written) == (2 * 4 * 8 * 2, 4 * 48, 4 * 8)


def test_a_rule_that_fails_makes_its_operator_unknown():
    register_cost("labkit_test::scale", lambda x, *, out: Cost(0))  # forgets the second argument
    with trace() as t:
        scale(torch.ones(4), 2.0)
    (op,) = named(t, "labkit_test::scale")
    assert "its rule failed: TypeError" in op.unknown
    register_cost("labkit_test::scale", lambda x, by, *, out: None)


def test_a_cost_needs_a_qualified_name():
    with pytest.raises(ValueError, match="namespace::name"):
        register_cost("mm", lambda *_, **__: Cost())


class Doubled(torch.Tensor):
    """A subclass that stands for twice its content, as quantized tensors stand for more than they store."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)

    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        plain = [a.inner * 2 if isinstance(a, Doubled) else a for a in args]
        return func(*plain, **(kwargs or {}))


def test_tensor_subclasses_show_the_work_inside_them():
    x = Doubled(torch.ones(2, 3))
    with trace() as t:
        out = x @ torch.ones(3, 4)
    assert torch.equal(out, torch.full((2, 4), 6.0))
    assert [op.name for op in t.ops if "mul" in op.name or "mm" in op.name] == ["aten::mul.Tensor", "aten::mm"]
    assert t.flops == 48


def test_other_modes_keep_working_inside_and_outside():
    class Counting(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.count += 1
            return func(*args, **(kwargs or {}))

    for outside in (True, False):
        mode = Counting()
        first, second = (mode, trace()) if outside else (trace(), mode)
        with first as a, second as b:
            torch.ones(2).exp()
        t = b if outside else a
        assert mode.count == 2
        assert len(t.ops) == 2


@pytest.mark.filterwarnings("ignore:flex_attention called without")
def test_higher_order_operators_are_listed_and_not_guessed():
    import torch._dynamo  # it compiles itself; see the docstring of trace
    from torch.nn.attention.flex_attention import flex_attention

    q = torch.randn(1, 1, 128, 16)
    with trace() as t:
        flex_attention(q, q, q)
    assert any(op.unknown for op in t.ops) or t.flops == 2 * 2 * 128 * 128 * 16


def test_results_are_unchanged_by_tracing():
    torch.manual_seed(0)
    model, x = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True), torch.randn(2, 5, 16)
    expected = model(x)
    with trace():
        traced = model(x)
    assert torch.equal(expected, traced)
