"""The C program: it builds where there is a compiler, counts threads right, and is blocked with a reason elsewhere."""

from __future__ import annotations

import shutil

import pytest

from labkit.measure import benches, stream
from labkit.measure.ceiling_report import KINDS
from labkit.measure.compilers import COMPILERS
from tests.measure.test_ceiling_report import MACHINE

compiler = pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="no C compiler")


@compiler
def test_builds_and_tells_a_rate_for_each_pattern(tmp_path):
    program, command = stream.build(tmp_path)
    assert "-O3" in command
    told = stream.run(program, 1 << 16, threads=1, seconds=0.001)
    assert told["threads"] == 1
    assert all(told[kind] > 0 for kind in KINDS)


@compiler
def test_a_program_that_refuses_is_blocked_with_its_reason(tmp_path):
    program, _ = stream.build(tmp_path)
    with pytest.raises(stream.Blocked, match="failed"):
        stream.run(program, 0, threads=1)


def test_no_compiler_is_blocked_and_not_zero(tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(stream.Blocked, match="no C compiler found"):
        stream.build(tmp_path)
    assert benches.against_stream(MACHINE, tmp_path) == {
        "blocked": "STREAM is blocked: no C compiler found (looked for no-such-compiler)."
    }


@compiler
def test_a_source_that_does_not_build_is_blocked(tmp_path, monkeypatch):
    broken = tmp_path / "broken.c"
    broken.write_text("int main(void) { return nothing; }", encoding="ascii")
    monkeypatch.setattr(stream, "SOURCE", broken)
    with pytest.raises(stream.Blocked, match="does not build"):
        stream.build(tmp_path)
