"""What crosses the wire comes back the same, bit by bit; what is not plain data does not cross."""

import contextlib
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labkit.course.wire import ARRAY_DTYPES, MAX_DEPTH, TENSOR_DTYPES, NotPlainError, decode, encode

KINDS = ["int", "float", "bytes", "tuple", "dict", "scalar", "array", "tensor"]
keys = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.binary(max_size=5)
)
leaves = keys | st.floats() | st.text()
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys | st.tuples(keys, keys), inner, max_size=4)
    ),
    max_leaves=12,
)


def same(a, b):
    """Equal in type and in every bit, by means other than the wire's."""
    assert type(a) is type(b)
    if type(a) in (list, tuple):
        assert len(a) == len(b)
        return all(same(x, y) for x, y in zip(a, b, strict=True))
    if type(a) is dict:
        return all(same(x, y) for x, y in zip(a.items(), b.items(), strict=True)) and len(a) == len(b)
    if type(a) is float:
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return a == b


@given(values)
def test_python_values_come_back_the_same(value):
    assert same(decode(encode(value)), value)


@given(hnp.arrays(st.sampled_from(sorted(ARRAY_DTYPES)), hnp.array_shapes(min_dims=0, min_side=0, max_side=4)))
@settings(deadline=None)
def test_arrays_come_back_bit_by_bit(array):
    back = decode(encode(array))
    assert type(back) is np.ndarray
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())


@pytest.mark.parametrize("dtype", sorted(TENSOR_DTYPES))
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)])
def test_tensors_come_back_bit_by_bit(dtype, shape):
    tensor = torch.arange(math.prod(shape)).reshape(shape).to(getattr(torch, dtype))
    back = decode(encode(tensor))
    assert type(back) is torch.Tensor
    assert (back.dtype, back.shape) == (tensor.dtype, tensor.shape)
    assert torch.equal(back.reshape(-1).view(torch.uint8), tensor.reshape(-1).view(torch.uint8))


@pytest.mark.parametrize(
    "value", [np.float32(0.1), np.int8(-3), np.bool_(True), np.complex64(1 + 2j), np.float64("nan")]
)
def test_numpy_scalars_keep_their_type(value):
    back = decode(encode(value))
    assert type(back) is type(value)
    assert back.tobytes() == value.tobytes()


def test_a_transposed_slice_and_a_gradient_leave_only_their_values():
    tensor = torch.randn(4, 6, requires_grad=True).t()[::2]
    assert torch.equal(decode(encode(tensor)), tensor.detach())


class Pretender(float):
    __class__ = float


@pytest.mark.parametrize(
    "value",
    [
        object(), Pretender(1.0), {1, 2}, range(3), lambda: 0, np.array([object()]), np.zeros(2, ">f4"),
        np.ma.masked_array([1]), np.zeros(1, [("a", int)]), torch.nn.Parameter(torch.ones(1)),
        torch.ones(1, device="meta"),
        torch.eye(2).to_sparse(), [1, [2, {"a": object()}]], np.longdouble(1), type("L", (list,), {})(), {"a": 1j},
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_a_sentence(value):
    with pytest.raises(NotPlainError, match=r"is not plain data\.$"):
        encode(value)


def test_what_contains_itself_is_refused():
    loop = []
    loop.append(loop)
    with pytest.raises(NotPlainError, match=f"{MAX_DEPTH} levels"):
        encode(loop)


@pytest.mark.parametrize(
    "value", [[None] * 10**6, "x" * 10**6, b"x" * 10**6, np.zeros(10**6), torch.zeros(10**6), [1 << 10**7]]
)
def test_what_is_too_large_is_refused(value):
    with pytest.raises(NotPlainError, match=r"more than 0\.0954 MiB"):
        encode(value, max_bytes=10**5)


def test_a_view_of_one_number_that_claims_to_be_huge_is_refused_before_it_is_copied():
    with pytest.raises(NotPlainError, match="more than"):
        encode(torch.zeros(1).expand(10**12))
    with pytest.raises(NotPlainError, match="more than"):
        encode(np.broadcast_to(np.zeros(1), (10**12,)))


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "NaN", "Infinity", '{"pickle": "gASV"}', '{"a": 1, "b": 2}', '{"float": "1.5"}', '{"int": 3}',
        '{"tuple": 3}',
        '{"dict": [[[1], 2]]}', '{"dict": [[1]]}', '{"bytes": "!"}', '{"array": ["object", [1], "AAAA"]}',
        '{"array": ["float32", [2], "AAAA"]}', '{"array": ["float32", [-1], "AAAAAA=="]}',
        '{"tensor": ["float32", [true], "AAAAAA=="]}',
        '{"tensor": ["float32", [3], "AAAAAA=="]}', '{"tensor": ["load", [1], "AAAAAA=="]}',
        '{"scalar": ["float32", "AAAA"]}',
        '{"scalar": 4}', '{"int": "0x1_z"}',
        '{"tensor": ["float32", [4611686018427387904, 4, 0], ""]}',
        '{"array": ["int16", [0, 9223372036854775807], ""]}',
        '{"tensor": ["float32", [0, 99999999999999999999999999], ""]}', '{"dict": [[{"dict": []}, 2]]}',
    ],
)  # fmt: skip
def test_damaged_text_is_refused(text):
    with pytest.raises(NotPlainError):
        decode(text)


@pytest.mark.parametrize("bomb", ["[" * 10**6, '{"tuple": ' * 10**5, "9" * 10**5, json.dumps([[]] * 10)])
def test_a_bomb_is_refused_and_not_a_crash(bomb):
    if bomb == json.dumps([[]] * 10):
        assert decode(bomb) == [[]] * 10
        return
    with pytest.raises(NotPlainError):
        decode(bomb)


bodies = st.recursive(
    st.none() | st.integers() | st.text(max_size=4) | st.sampled_from([1 << 62, "float32", "bfloat16", "AAAA", "", 0]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KINDS), inner, max_size=1),
    max_leaves=12,
)


@given(st.sampled_from(KINDS), bodies)
@settings(max_examples=300, deadline=None)
def test_whatever_stands_on_the_wire_is_read_or_refused(kind, body):
    with contextlib.suppress(NotPlainError):
        decode(json.dumps({kind: body}))


def test_text_longer_than_allowed_is_not_read():
    with pytest.raises(NotPlainError, match="more than"):
        decode("[" + "0," * 1000 + "0]", max_bytes=1000)
