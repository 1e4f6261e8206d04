"""The sample lab, made visible as lab 99 for the tests that ask for it, on a state folder of its own."""

import importlib.util
import sys
from pathlib import Path

import nbformat
import pytest

SAMPLE = Path(__file__).parent / "sample"


def _module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def load_module():
    """A module of the tests by its path; the tests are no package."""
    return _module


@pytest.fixture(scope="session")
def sample_notebook(load_module):
    """Makes the solved sample notebook, each time a fresh one."""
    return load_module(SAMPLE / "notebook99.py").solved


@pytest.fixture(scope="session")
def sample_answers(load_module):
    return load_module(SAMPLE / "answers99.py")


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    """No test of this folder sees or writes a person's state."""
    monkeypatch.setenv("LABKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("LABKIT_WORK", str(tmp_path / "work"))
    return tmp_path / "state"


@pytest.fixture
def sample(tmp_path, monkeypatch, sample_notebook):
    """Lab 99 exists during the test, with its notebook in a folder of its own, which is returned."""
    from labkit.course import labs

    monkeypatch.setattr(labs, "__path__", [*labs.__path__, str(SAMPLE)])
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(sample_notebook(), folder / "99_sample.ipynb")
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(folder))
    yield folder
    sys.modules.pop("labkit.course.labs.lab99", None)


@pytest.fixture
def kernel(sample, tmp_path, monkeypatch):
    """A kernel of its own that knows lab 99, spoken to as a notebook runner does: `kernel(source, **metadata)`.

    It gives the outputs of one cell. `cellId` in the metadata makes it a cell that a person runs in JupyterLab.
    """
    from jupyter_client.manager import start_new_kernel

    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "sample.py").write_text(f"from labkit.course import labs; labs.__path__.append({str(SAMPLE)!r})\n")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    manager, client = start_new_kernel(kernel_name="python3")

    def run(source, **metadata):
        content = {"code": source, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        message = client.session.msg("execute_request", content, metadata=metadata)
        client.shell_channel.send(message)
        outputs = []
        while True:
            reply = client.get_iopub_msg(timeout=60)
            if reply["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            if reply["msg_type"] in ("display_data", "execute_result", "stream", "error"):
                outputs.append(reply["content"])
            if reply["msg_type"] == "status" and reply["content"]["execution_state"] == "idle":
                return outputs

    try:
        run("import labkit as lk; lab = lk.Lab(99)")
        yield run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
