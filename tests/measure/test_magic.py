"""`%%trace` in a real IPython shell."""

import pytest
import torch
from IPython.testing.globalipapp import start_ipython

from labkit.measure import ceiling
from tests.measure.handmade import handmade_ceilings


@pytest.fixture(scope="module")
def shell():
    torch.set_num_threads(1)
    shell = start_ipython()
    shell.run_line_magic("load_ext", "labkit.measure.magic")
    shell.run_cell("import torch")
    return shell


@pytest.fixture(autouse=True)
def _on_paper(monkeypatch):
    monkeypatch.setattr(ceiling, "ceilings", lambda device=None: handmade_ceilings())


def test_the_cell_runs_and_its_trace_is_kept(shell, capsys):
    shell.run_cell_magic("trace", "--by call --top 5 --as found", "y = torch.ones(2, 3) @ torch.ones(3, 4)")
    assert torch.equal(shell.user_ns["y"], torch.full((2, 4), 3.0))
    assert shell.user_ns["found"].flops == 48
    assert "aten::mm" in capsys.readouterr().out


def test_a_failing_cell_shows_its_error_and_keeps_what_ran(shell, capsys):
    shell.run_cell_magic("trace", "", "torch.ones(2).exp()\n1 / 0")
    found = shell.user_ns["_trace"]
    assert found.interrupted == "ZeroDivisionError"
    assert any(op.name == "aten::exp" for op in found.ops)
    assert "ZeroDivisionError" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["--by layer", "--top many", "--nonsense"])
def test_bad_options_are_refused_in_one_sentence(shell, line):
    with pytest.raises(ValueError, match="%%trace: "):
        shell.run_cell_magic("trace", line, "1")
