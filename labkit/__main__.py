"""`python -m labkit COMMAND`: the way in without `make`. Runs on a bare Python, before any package is there."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (this file must also run, and say so, on an older one)
    sys.exit(
        f"The course needs Python 3.11 or newer; this is Python {sys.version_info[0]}.{sys.version_info[1]}."
        " Name a newer one, for instance: make lab PYTHON=python3.12"
    )

from labkit.cli import main

sys.exit(main())
