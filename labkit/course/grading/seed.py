"""The secret seed: which inputs are drawn follows from it, and it cannot be found from them or from what is written."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
from pathlib import Path

import numpy as np

_SHORTEST = 16  # bytes


@dataclasses.dataclass(frozen=True, repr=False)
class Seed:
    """The same secret draws the same inputs for every submission, this year and the next."""

    secret: bytes

    @classmethod
    def read(cls, path: Path) -> Seed:
        """The content of a file, whatever it is; `ValueError` when it is too short to be a secret."""
        secret = path.read_bytes().strip()
        if len(secret) < _SHORTEST:
            raise ValueError(
                f"{path} holds {len(secret)} bytes; a secret seed needs {_SHORTEST} or more. To make one:"
                f" python -c 'import secrets; print(secrets.token_hex())' > {path}"
            )
        return cls(secret)

    def rng(self, lab: str, exercise: str) -> np.random.Generator:
        """The generator of one exercise's cases."""
        return np.random.default_rng(int.from_bytes(self._derive(f"cases {lab} {exercise}"), "big"))

    def fingerprint(self) -> str:
        """Says which seed was used, to those who have it; tells nothing to others."""
        return self._derive("fingerprint").hex()[:12]

    def _derive(self, purpose: str) -> bytes:
        return hmac.digest(self.secret, purpose.encode(), hashlib.sha256)
