"""Picked up by every child Python of the test run (its folder stands first in PYTHONPATH)."""

import loopback

loopback.enforce()
