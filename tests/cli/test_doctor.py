"""The doctor: right about a healthy installation, and useful about a broken one."""

import dataclasses
import json
import subprocess
import sys

import pytest

from labkit.cli import doctor


def test_this_installation_is_healthy():
    findings = doctor.examine()
    assert [f for f in findings if f.required and not f.ok] == []
    assert {"Python", "torch", "memory", "disk", "JupyterLab", "shipped files"} <= {f.part for f in findings}
    assert {"GPU", "bitsandbytes", "triton", "C compiler"} <= {f.part for f in findings if not f.required}


def test_a_failing_required_part_fails_the_command_and_says_what_to_type():
    broken = doctor.Finding("torch", False, "missing", "python -m labkit setup")
    assert doctor.exit_status([broken]) == 1
    assert "-> python -m labkit setup" in doctor.as_text([broken])
    assert json.loads(doctor.as_json([broken]))["ok"] is False


def test_a_missing_optional_part_does_not():
    absent = dataclasses.replace(doctor.Finding("GPU", False, "none"), required=False)
    assert doctor.exit_status([absent]) == 0
    assert "not here" in doctor.as_text([absent])


def test_a_check_that_breaks_is_a_finding():
    def _torch():
        raise ImportError("libfoo.so is missing")

    found = doctor._guarded(_torch, required=True)
    assert not found.ok
    assert found.part == "torch"
    assert "libfoo.so" in found.seen


def test_another_version_of_a_pinned_package_is_told(monkeypatch):
    monkeypatch.setattr(doctor.importlib.metadata, "version", lambda name: "1.0+cpu")
    assert doctor._difference("torch", "2.13.0") == "1.0, not 2.13.0"
    assert doctor._difference("numpy", None) == ""


@pytest.mark.slow
def test_the_command_prints_json():
    done = subprocess.run([sys.executable, "-m", "labkit", "doctor", "--json"], capture_output=True, text=True)
    assert json.loads(done.stdout)["ok"] is (done.returncode == 0)


def test_without_torch_the_doctor_still_speaks():
    code = "import sys; sys.modules['torch'] = None; from labkit.cli import main; sys.exit(main(['doctor', '--json']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    torch = next(f for f in json.loads(done.stdout)["findings"] if f["part"] == "torch")
    assert not torch["ok"]
    assert torch["remedy"]
