"""The kernels as they would be launched, compiled for GPUs that are not here, and read: tensor cores, whole words."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest
import torch

from labkit.kernels.quantized_panels import PanelLayout
from labkit.kernels.triton import quantized_linear as kernels
from labkit.kernels.triton import rounding
from labkit.kernels.triton.ahead_of_time import compile_ahead
from labkit.kernels.triton.running import triton_runs

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="blocked: no triton")
PROCESSORS = 132
SCHEMES = {  # bits of weights, group, bits of activations, one scale a row
    "w4a16": (4, 32, 16, False),
    "w8a16": (8, 0, 16, False),
    "w4a8": (4, 32, 8, False),
    "w8a8": (8, 0, 8, False),
    "w8a8 a row": (8, 0, 8, True),
}
POINTERS = {"y": "*bf16", "x": "*bf16", "x_scales": "*fp32", "panels": "*u8", "bias": "*bf16"}
SIZES = ("inner", "outs", "panel_bytes", "group_bytes")
"""Of a layer of 4,096 inputs all these are multiples of 16, which a launch sees for itself."""


@pytest.fixture(autouse=True)
def compiled_anew(tmp_path, monkeypatch):
    if os.environ.get("TRITON_INTERPRET") == "1":
        pytest.skip("blocked: this Python interprets kernels, so it compiles none")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))


def compiled(scheme, rows, capability, **pointers):
    bits, group, activation_bits, per_row = SCHEMES[scheme]
    layout = PanelLayout(4096, 4096, bits, group, 0, 0)
    tiles = kernels.tiling(layout, rows, PROCESSORS, activation_bits == 8 and not per_row)
    types = POINTERS | dict.fromkeys(("rows", *SIZES), "i32") | pointers
    types |= {"x": "*i8"} if activation_bits == 8 else {}
    types |= {"y": "*fp32"} if tiles.splits > 1 else {}
    constants = kernels.constants(layout, tiles, activation_bits, per_row)
    constants |= {"rows": 1} if rows == 1 else {}  # a launch makes a constant of every 1
    constants |= {"x_scales": None} if activation_bits == 16 else {}
    return compile_ahead(kernels.linear_kernel, types, constants, SIZES, capability, num_warps=tiles.warps)


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize(
    ("scheme", "rows"), [*((scheme, 1) for scheme in SCHEMES), ("w4a16", 512), ("w8a8 a row", 512)]
)
def test_products_run_on_tensor_cores_and_weights_arrive_in_words(scheme, rows, capability):
    found = compiled(scheme, rows, capability)
    assert found.asm["cubin"].startswith(b"\x7fELF")
    ptx = found.asm["ptx"]
    kind = "s32.s8.s8" if SCHEMES[scheme][2] == 8 else "f32.bf16.bf16"
    product = {80: r"mma\.sync\.aligned\.\S*", 90: r"wgmma\.mma_async\.sync\.aligned\.\S*"}[capability]
    assert re.search(product + re.escape(kind), ptx), "no product in tensor cores"
    assert not re.search(r"ld\.global\S*\.b8", ptx), "codes fetched byte by byte"
    assert re.search(r"cp\.async\.\S*shared\.global", ptx), "nothing fetched while products run"


@needs_triton
@pytest.mark.slow
def test_full_precision_has_no_tensor_core(tmp_path):
    """Their fp32 would be tf32, 10 bits of mantissa: not what was asked for."""
    assert "mma" not in compiled("w4a16", 1, 80, x="*fp32").asm["ptx"]


@needs_triton
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("per_row", [False, True])
def test_rounding_compiles_without_fusing_a_product_with_its_rounding(per_row, capability):
    types = {"codes": "*i8", "scales": "*fp32", "x": "*bf16", "inner": "i32", "blocks": "i32"}
    constants = {"PER_ROW": per_row, "BLOCKS": rounding.BLOCKS}
    found = compile_ahead(
        rounding.round_kernel, types, constants, ("inner",), capability, num_warps=4, enable_fp_fusion=False
    )
    assert found.asm["cubin"].startswith(b"\x7fELF")
    assert "add.rn.f32" in found.asm["ptx"]
    assert "div.rn.f32" in found.asm["ptx"]


NO_TRITON = """
import importlib, json, pkgutil, sys
sys.modules["triton"] = None  # what an import of it finds
import labkit.kernels, labkit.models.quantized_linear
import labkit.kernels.triton as folder
for module in pkgutil.iter_modules(folder.__path__, folder.__name__ + "."):
    importlib.import_module(module.name)
from labkit.kernels.triton.running import triton_runs
print(json.dumps(triton_runs()))
"""


def test_without_triton_all_can_be_imported_and_one_line_says_what_runs_instead():
    child = subprocess.run([sys.executable, "-c", NO_TRITON], capture_output=True, text=True, check=True)
    assert json.loads(child.stdout) is False
    assert child.stderr.startswith("labkit: kernels in Triton run as plain torch, which is slower: import of triton")
    assert child.stderr.count("\n") == 1


def test_loading_the_operator_does_not_import_triton():
    code = "import sys, labkit.models.quantized_linear; print('triton' in sys.modules)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "False"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to run on")
def test_without_a_gpu_the_fallback_computes_the_same(capsys):
    from labkit.kernels.packed_weight import pack
    from labkit.kernels.quantized_linear import quantized_linear, quantized_linear_reference
    from labkit.kernels.quantized_panels import to_panels
    from labkit.kernels.weight_format import WeightFormat
    from tests.kernels.interpreted import AsOnGPU
    from tests.kernels.test_quantized_linear import random_weight

    triton_runs.cache_clear()
    weight, x = pack(random_weight(WeightFormat(4, 32), 20, 64)), torch.randn(3, 64)
    for _ in range(2):
        with AsOnGPU():
            found = quantized_linear(x, to_panels(weight), None, 8)
        torch.testing.assert_close(found, quantized_linear_reference(x, weight, None, 8))
    assert capsys.readouterr().err.count("run as plain torch") == 1
    triton_runs.cache_clear()
