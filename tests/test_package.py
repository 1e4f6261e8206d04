"""The front door: what importing labkit costs, what it offers, and that the tests themselves are offline."""

import json
import socket
import subprocess
import sys

import loopback
import pytest

import labkit

HEAVY = ("torch", "transformers", "matplotlib", "bitsandbytes", "IPython", "numpy", "pandas")


def _in_fresh_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("module", ["labkit", "labkit.cli", "labkit.cli.environment"])
def test_import_loads_nothing_heavy(module):
    loaded = json.loads(_in_fresh_python(f"import sys, json, {module}; print(json.dumps(sorted(sys.modules)))"))
    assert not {name.partition(".")[0] for name in loaded} & set(HEAVY)


ROOMS = [
    "measure",
    "course",
    "models",
    "data",
    "world",
    "kernels",
    "throughput",
    "serving",
    "rag",
    "quantization",
    "sparsity",
    "moe",
]


@pytest.mark.parametrize("room", ROOMS)
def test_opening_a_room_loads_no_torch(room):
    loaded = json.loads(_in_fresh_python(f"import sys, json, labkit.{room}; print(json.dumps(sorted(sys.modules)))"))
    assert "torch" not in loaded
    assert "transformers" not in loaded


def test_every_public_name_is_there():
    for name in labkit.__all__:
        assert getattr(labkit, name) is not None


def test_names_stay_functions_after_their_modules_are_imported():
    names = ("trace", "machine", "compare", "ceilings", "roofline", "sweep")
    touch = "; ".join(f"lk.{name}" for name in names)
    code = f"import labkit as lk; {touch}; print(all(callable(getattr(lk.measure, n)) for n in {names}))"
    assert _in_fresh_python(code).strip() == "True"


def test_an_unknown_name_is_told():
    with pytest.raises(AttributeError, match="it offers"):
        _ = labkit.no_such_instrument


def test_another_machine_cannot_be_reached():
    with socket.socket() as probe, pytest.raises(loopback.NetworkBlockedError):
        probe.connect(("192.0.2.1", 80))
    with pytest.raises(loopback.NetworkBlockedError):
        socket.getaddrinfo("example.org", 443)


def test_children_are_offline_too():
    code = "import socket; socket.create_connection(('192.0.2.1', 80))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode != 0
    assert "The tests run offline" in child.stderr


def test_loopback_is_open():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()
