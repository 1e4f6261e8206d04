"""The whole suite runs without a network: sockets connect to this machine only, in this process and in every child."""

import os
import sys
from pathlib import Path

OFFLINE = Path(__file__).parent / "offline"

# A child Python imports `sitecustomize` before anything else, so kernels and subprocesses are offline too.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(OFFLINE), os.environ.get("PYTHONPATH")]))
sys.path.insert(0, str(OFFLINE))

import loopback  # noqa: E402

loopback.enforce()
