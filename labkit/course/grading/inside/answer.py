"""What the answerer does with one request: call a learner's function on every case, time it on one, or cut a notebook.

A reply is one message a case, each an outcome in the text of `labkit.course.wire`. By the time it is written the
learner's code may have replaced any part of Python in this process; whoever reads it takes it for what it is.
"""

from __future__ import annotations
import __future__

import contextlib
import dataclasses
import json
import linecache
import types
from typing import Any

from labkit.course.describe import describe_type
from labkit.course.exercise import Case, Raised
from labkit.course.grading.inside.frames import read_frame, write_frame
from labkit.course.grading.inside.slices import cut
from labkit.course.grading.inside.stopwatch import READY
from labkit.course.judgement import ask_all
from labkit.course.probe import Outcome
from labkit.course.wire import NotPlainError, decode, encode

MOST_BYTES_OF_A_VALUE = 8 << 20


class Inert:
    """Stands for `lab` and `display`: every attribute and call is itself again; as a decorator it changes nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *arguments: Any, **_: Any) -> Any:
        return arguments[0] if len(arguments) == 1 and callable(arguments[0]) else self


def answer(header: dict[str, Any], payload: bytes, hand_in: int, questions: int | None = None) -> None:
    """Write the reply to a request of the kind `ask`, `time` or `cut`; a timed question is read from `questions`."""
    if header["kind"] == "cut":
        write_frame(hand_in, json.dumps(cut(payload, header["labs"])).encode())
        return
    if header["kind"] == "time":
        _answer_on_time(header, payload, hand_in, questions)
        return
    cases = [Case(**dict(arguments)) for arguments in decode(payload.decode(), max_bytes=len(payload))]
    function = _define(header["name"], header["source"], hand_in)
    if function is None:
        return
    for outcome in ask_all(types.SimpleNamespace(seconds=header["seconds"]), function, cases):
        write_frame(hand_in, _as_text(outcome).encode())


def _answer_on_time(header: dict[str, Any], payload: bytes, hand_in: int, questions: int) -> None:
    """One call to warm up, on an input of its own; then *ready*; then the question, and nothing but the work."""
    function = _define(header["name"], header["source"], hand_in)
    if function is None:
        return
    with contextlib.suppress(Exception):
        function(*decode(payload.decode()))
    write_frame(hand_in, READY)
    arguments = decode(read_frame(questions, MOST_BYTES_OF_A_VALUE).decode())
    try:
        outcome = Outcome("returned", function(*arguments))
    except BaseException as error:
        outcome = Outcome("raised", raised=Raised(type(error).__name__))
    write_frame(hand_in, _as_text(outcome).encode())


def _define(name: str, source: str, hand_in: int) -> Any:
    """The function, or None after handing in why its definition failed."""
    file_name = f"<{name}>"
    linecache.cache[file_name] = (len(source), None, source.splitlines(keepends=True), file_name)
    namespace: dict[str, Any] = {"__name__": "__main__", "lab": Inert(), "display": Inert()}
    try:
        lazily_annotated = __future__.annotations.compiler_flag
        exec(compile(source, file_name, "exec", flags=lazily_annotated, dont_inherit=True), namespace)
    except BaseException as error:
        told = f"The cells it needs could not be run: {type(error).__name__}: {error}"
        write_frame(hand_in, encode(Outcome("exited", told=told[:500]).to_plain()).encode())
        return None
    return namespace[name]


def _as_text(outcome: Outcome) -> str:
    try:
        return encode(outcome.to_plain(), MOST_BYTES_OF_A_VALUE)
    except NotPlainError as error:
        told = f"It returned {describe_type(outcome.value)} that cannot be checked. {error}"
        return encode(dataclasses.replace(outcome, kind="not plain", value=None, told=told).to_plain())
