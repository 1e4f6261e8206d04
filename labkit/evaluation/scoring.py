"""When an answer is right: pure functions of strings, one a kind of task."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.world import NOT_KNOWN, normalized

_TYPES = {"string": str, "integer": int, "null": type(None)}


def exact_match(answer: str, accepted: Sequence[str]) -> bool:
    """Whether the answer is one of the accepted ones after `labkit.world.normalized`.

    >>> exact_match(" The Kolm Light.", ["Kolm Light"]), exact_match("Kolm", ["Kolm Light"])
    (True, False)
    """
    return normalized(answer) in {normalized(a) for a in accepted}


def abstains(answer: str) -> bool:
    """Whether the answer says that there is none."""
    return normalized(answer) == normalized(NOT_KNOWN)


def fits(text: str, schema: Mapping[str, Any]) -> bool:
    """Whether a text is JSON of this schema: an object with exactly its properties, each of an allowed type.

    Understands the schemas of `labkit.world.extraction` and no others.

    >>> schema = {"properties": {"name": {"type": "string"}, "founded": {"type": ["integer", "null"]}}}
    >>> fits('{"name": "Salury", "founded": 238}', schema), fits('{"name": "Salury", "founded": "238"}', schema)
    (True, False)
    """
    value = _parsed(text)
    properties = schema["properties"]
    if not isinstance(value, dict) or set(value) != set(properties):
        return False
    return all(_is_of(value[name], properties[name]["type"]) for name in properties)


def json_right(text: str, schema: Mapping[str, Any], answer: str) -> bool:
    """Whether a text fits the schema and says the same as `answer`, itself JSON; order and spaces do not count."""
    return fits(text, schema) and _parsed(text) == json.loads(answer)


def _parsed(text: str) -> Any:
    """The value, or a type of its own where the text is not JSON or names a field twice."""
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        return ...


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a field stands twice")
    return dict(pairs)


def _is_of(value: Any, types: str | Sequence[str]) -> bool:
    names = [types] if isinstance(types, str) else types
    return type(value) in {_TYPES[name] for name in names}  # not isinstance: True is not an integer here
