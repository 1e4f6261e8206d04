"""Packing and unpacking as exact inverses, byte counts against the bytes that are there, and what is refused."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from labkit.kernels.bit_packing import pack_bits, unpack_bits
from labkit.kernels.normal_float import NF4_LEVELS
from labkit.kernels.packed_weight import PackedWeight, pack, unpack
from labkit.kernels.quantized_weight import QuantizedWeight
from labkit.kernels.weight_format import BITS, SCALE_DTYPES, WeightFormat


@st.composite
def quantized_weights(draw):
    bits, code = draw(st.sampled_from([*((bits, "integer") for bits in BITS), (4, "nf4")]))
    symmetric = code == "nf4" or draw(st.booleans())
    size, groups, rows = draw(st.integers(1, 9)), draw(st.integers(1, 4)), draw(st.integers(1, 5))
    whole_row = draw(st.booleans())
    fmt = WeightFormat(bits, None if whole_row else size, symmetric, code, draw(st.sampled_from(SCALE_DTYPES)))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 9999)))
    codes = torch.randint(0, 2**bits, (rows, size * groups), generator=generator, dtype=torch.uint8)
    numbers = torch.randn(2, rows, 1 if whole_row else groups, generator=generator).to(fmt.scale_dtype)
    return QuantizedWeight(codes, numbers[0], None if symmetric else numbers[1], fmt)


def same(a, b):
    return (a is None and b is None) or (a.dtype == b.dtype and torch.equal(a, b))


@given(weight=quantized_weights())
@settings(deadline=None, max_examples=200)
def test_unpack_undoes_pack_and_pack_undoes_unpack(weight):
    packed = pack(weight)
    back = unpack(packed)
    assert all(same(getattr(weight, part), getattr(back, part)) for part in ("codes", "scales", "zeros"))
    assert same(pack(back).codes, packed.codes)
    assert torch.equal(packed.dequantize(), weight.dequantize())
    assert packed.nbytes == weight.format.nbytes(*weight.codes.shape)
    assert packed.shape == weight.codes.shape


@given(bits=st.sampled_from(BITS), width=st.integers(1, 40), seed=st.integers(0, 999))
@settings(deadline=None, max_examples=100)
def test_a_row_is_one_little_endian_stream_of_bits(bits, width, seed):
    codes = torch.randint(0, 2**bits, (2, width), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    packed = pack_bits(codes, bits)
    for row, got in zip(codes.tolist(), packed, strict=True):
        stream = sum(code << (bits * place) for place, code in enumerate(row))
        assert bytes(got.tolist()) == stream.to_bytes(math.ceil(width * bits / 8), "little")
    assert torch.equal(unpack_bits(packed, bits, width), codes)


@pytest.mark.parametrize(("bits", "codes", "expected"), [(4, 2, 1), (3, 8, 3), (2, 4, 1), (8, 1, 1)])
def test_how_many_codes_share_how_many_bytes(bits, codes, expected):
    assert pack_bits(torch.zeros(1, codes, dtype=torch.uint8), bits).shape == (1, expected)


@given(weight=quantized_weights())
@settings(deadline=None, max_examples=60)
def test_every_weight_stands_for_what_the_format_says(weight):
    fmt, (rows, width) = weight.format, weight.codes.shape
    per_group = width // weight.scales.shape[1]
    got = weight.dequantize()
    for r in range(rows):
        for c in range(width):
            code, scale = weight.codes[r, c].item(), weight.scales[r, c // per_group].item()
            if fmt.code == "nf4":
                value = NF4_LEVELS[code].item() * scale
            else:
                zero = 2 ** (fmt.bits - 1) if fmt.symmetric else weight.zeros[r, c // per_group].item()
                value = scale * (code - zero)
            assert got[r, c].item() == pytest.approx(value, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("symmetric", [True, False])
def test_the_bytes_on_disk_are_the_bytes_in_memory(tmp_path, symmetric):
    fmt = WeightFormat(3, 8, symmetric)
    zeros = None if symmetric else torch.full((5, 3), 4, dtype=torch.float16)
    scales = torch.rand(5, 3).half()
    weight = pack(QuantizedWeight(torch.randint(0, 8, (5, 24), dtype=torch.uint8), scales, zeros, fmt))
    save_file(weight.to_tensors("up_proj."), tmp_path / "weights.safetensors")
    file = (tmp_path / "weights.safetensors").read_bytes()
    assert len(file) - 8 - int.from_bytes(file[:8], "little") == weight.nbytes
    assert bytes(weight.codes.flatten().tolist()) in file
    back = PackedWeight.from_tensors(load_file(tmp_path / "weights.safetensors"), "up_proj.", fmt, 24)
    assert torch.equal(back.dequantize(), weight.dequantize())
    with pytest.raises(ValueError, match=r"down_proj\.codes"):
        PackedWeight.from_tensors(load_file(tmp_path / "weights.safetensors"), "down_proj.", fmt, 24)
    with pytest.raises(ValueError, match="bytes a row"):
        PackedWeight.from_tensors(load_file(tmp_path / "weights.safetensors"), "up_proj.", fmt, 48)


def test_nf4_levels_are_those_of_bitsandbytes():
    from bitsandbytes.functional import get_4bit_type

    torch.testing.assert_close(NF4_LEVELS, get_4bit_type("nf4", device="cpu"), atol=2e-7, rtol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bits": 5}, "2, 3, 4 or 8 bits, not 5"),
        ({"bits": 1}, "not 1"),
        ({"bits": 4, "group_size": 0}, "at least 1 weight"),
        ({"bits": 4, "scale_dtype": torch.float64}, "float64"),
        ({"bits": 4, "code": "fp4"}, "'fp4'"),
        ({"bits": 3, "code": "nf4"}, "NF4 has 4 bits"),
        ({"bits": 4, "code": "nf4", "symmetric": False}, "no zeros"),
    ],
)
def test_a_format_that_does_not_exist_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        WeightFormat(**arguments)


def test_a_group_size_that_does_not_divide_is_refused():
    for fmt in (WeightFormat(4, 32), WeightFormat(4, 128)):
        with pytest.raises(ValueError, match=r"do not divide rows of 48"):
            fmt.nbytes(2, 48)


CODES, SCALES = torch.zeros(2, 8, dtype=torch.uint8), torch.ones(2, 2, dtype=torch.float16)


@pytest.mark.parametrize(
    ("codes", "scales", "zeros", "message"),
    [
        (CODES, SCALES, SCALES, "disagree"),
        (CODES.int(), SCALES, None, "uint8, not torch.int32"),
        (CODES + 16, SCALES, None, "Code 16 does not fit into 4 bits"),
        (CODES, SCALES[:, :1], None, r"must be \(2, 2\)"),
        (CODES, SCALES.float(), None, "float32"),
        (CODES, SCALES * math.nan, None, "NaN or infinity"),
        (CODES, SCALES * math.inf, None, "too large for torch.float16"),
    ],
)
def test_parts_that_do_not_fit_are_refused(codes, scales, zeros, message):
    with pytest.raises(ValueError, match=message):
        QuantizedWeight(codes, scales, zeros, WeightFormat(4, 4))
