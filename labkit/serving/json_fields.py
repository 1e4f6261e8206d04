"""The members of a request's JSON object, each of the type that is asked for, or a sentence that says which is not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_WORDS = {
    **{str: "a text", int: "a whole number", float: "a number", bool: "true or false"},
    **{list: "a list", dict: "an object"},
}


class RefusedError(Exception):
    """A request that is not served: an HTTP status, a sentence, and the field and code that OpenAI's clients know."""

    def __init__(self, message: str, param: str | None = None, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.param, self.status, self.code = param, status, code


class Fields:
    """An object's members; null is as good as none.

    >>> fields = Fields({"top_p": None, "seed": 7})
    >>> fields.of("top_p", float, 1.0), fields.of("seed", int), fields.of("temperature", float)
    (1.0, 7, None)
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def of(self, name: str, kinds: type | tuple[type, ...], default: Any = None) -> Any:
        """The member, or the default; raises `RefusedError` for a value of another type."""
        kinds, value = kinds if isinstance(kinds, tuple) else (kinds,), self.values.get(name)
        if value is None:
            return default
        if not (type(value) in kinds or (type(value) is int and float in kinds)):
            wanted = " or ".join(_WORDS[kind] for kind in kinds)
            raise RefusedError(f"{name} must be {wanted}, not {_WORDS[type(value)]}.", name)
        return value


def read_object(body: bytes) -> dict[str, Any]:
    """Raises `RefusedError` for bytes that are no JSON object."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:  # ValueError: no JSON, or no UTF-8
        raise RefusedError(f"The body is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise RefusedError("The body must be a JSON object.")
    return value
