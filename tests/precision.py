"""fp32 wherever the machine would choose; folders that compare to the last digits import it.

A processor that is fast at bf16 would choose that. The choice itself is tested in `tests/models/test_placement.py`.
"""

import pytest

from labkit.models import placement


@pytest.fixture(autouse=True)
def auto_is_fp32(monkeypatch):
    monkeypatch.setattr(placement, "bf16_is_fast", lambda: False)
