"""One source of pins: what pyproject.toml asks for, what the lock holds and what conda users get is the same."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINNED = re.compile(r"^[A-Za-z0-9][\w.-]*==[^\s;]+( ; .*)?$")


def _lock(python: str) -> dict[str, str]:
    """What the lock gives Linux users of that Python: a package may be pinned twice, each pin for some Pythons."""
    here = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if not PINNED.match(line)]
    pins = [r for r in map(Requirement, lines) if r.marker is None or r.marker.evaluate(here)]
    assert len({r.name for r in pins}) == len(pins)
    return {r.name.lower(): str(r.specifier).removeprefix("==") for r in pins}


def _requirements() -> list[str]:
    return [*PYPROJECT["dependencies"], *(r for extra in PYPROJECT["optional-dependencies"].values() for r in extra)]


def _name(requirement: str) -> str:
    return re.match(r"[\w.-]+", requirement)[0].lower()


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_lock_holds_every_requirement_at_its_pin(python):
    lock = _lock(python)
    for requirement in map(Requirement, _requirements()):
        name, pin = requirement.name.lower(), str(requirement.specifier).removeprefix("==")
        assert lock[name] == (pin or lock[name])


def test_torch_is_pinned_exactly():
    assert "torch==2.13.0" in PYPROJECT["dependencies"]


def _conda_pins() -> dict[str, str]:
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    return {m[1].lower(): m[2] for line in lines if (m := re.match(r"^      - ([\w.-]+)==(\S+)$", line))}


def test_conda_users_get_the_same_versions():
    assert set(_conda_pins()) == {_name(r) for r in PYPROJECT["dependencies"]}
    assert _conda_pins().items() <= _lock(python="3.11").items()
    assert "  - python=3.11" in (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    assert "      - -c requirements.lock" in (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("extra", ["gpu", "grading", "slides", "dev"])
def test_the_extras_exist(extra):
    assert PYPROJECT["optional-dependencies"][extra]


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements.lock", "environment.yml"])
def test_no_address_of_a_registry_in_any_pin(name):
    assert "://" not in (ROOT / name).read_text(encoding="utf-8")
