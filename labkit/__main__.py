"""`python -m labkit COMMAND`: the way in for those without `make`. Runs on a bare Python, before anything is installed."""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "The course needs Python 3.11 or newer; this is Python %d.%d. Name a newer one, for instance:"
        " make lab PYTHON=python3.12" % sys.version_info[:2]
    )

from labkit.cli import main

sys.exit(main())
