"""Both ways that an operator with native code can take, and the number of threads put back after each test."""

import shutil

import pytest
import torch

from labkit.kernels.native import building
from labkit.measure.compilers import COMPILERS


@pytest.fixture(params=["compiled", "plain torch"])
def way(request, monkeypatch):
    """The compiled way must really be compiled."""
    building.native.cache_clear()
    if request.param == "plain torch":
        monkeypatch.setenv("CC", "no-such-compiler")
    elif not any(map(shutil.which, COMPILERS)):
        pytest.skip("blocked: no C compiler")
    else:
        for source in building.FOLDER.glob("*.c"):
            assert building.native(source.stem) is not None
    yield
    building.native.cache_clear()


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
