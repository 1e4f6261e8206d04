"""`%%trace`: trace one notebook cell.

    %load_ext labkit.measure.magic
    %%trace --by module --top 10
    model(x)

The table appears below the cell, the trace itself under the name given with `--as` (by default `_trace`).
"""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class _Options(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"%%trace: {message}. {self.format_usage().strip()}")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Called by `%load_ext labkit.measure.magic`."""
    shell.register_magic_function(_magic(shell), magic_kind="cell", magic_name="trace")


def _magic(shell: InteractiveShell):
    def trace_cell(line: str, cell: str) -> None:
        """Trace the cell; options: --by op|module|call, --top N, --cold, --as NAME."""
        from IPython.display import display

        from labkit.measure.tracing import trace

        options = _parse(line)
        with trace(cold=options.cold) as found:
            outcome = shell.run_cell(cell)
        if outcome.error_in_exec or outcome.error_before_exec:
            found.interrupted = type(outcome.error_in_exec or outcome.error_before_exec).__name__
        shell.user_ns[options.name] = found
        display(found.table(by=options.by, top=options.top))

    return trace_cell


def _parse(line: str) -> argparse.Namespace:
    options = _Options(prog="%%trace", add_help=False)
    options.add_argument("--by", choices=("op", "module", "call"), default="op")
    options.add_argument("--top", type=int, default=20)
    options.add_argument("--cold", action="store_true")
    options.add_argument("--as", dest="name", default="_trace")
    return options.parse_args(shlex.split(line))
