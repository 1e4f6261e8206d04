"""`labkit rag FOLDER "question"`: an answer from the learner's own Markdown and text files, with its source."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.rag.own_folder import OwnFolder
    from labkit.rag.stages import CitedAnswer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("folder", type=Path, help="Markdown and text files; what changed since the last time is read")
    parser.add_argument("question")
    parser.add_argument("--model", help="shipped name, folder or hub name of the decoder; the best shipped one if none")
    parser.add_argument("--embedder", default="course-embed", help="shipped name, or one of sentence-transformers")
    parser.add_argument("--passages", type=int, default=3, help="how many go into the prompt at most")
    parser.add_argument("--budget", type=int, default=512, help="tokens that the prompt may have")
    parser.add_argument("--threshold", type=float, default=0.0, help="say nothing below this probability")
    parser.add_argument("--stages", action="store_true", help="show the time, bytes and tokens of every stage")


def run(options: argparse.Namespace) -> int:
    """Bring the store up to date, answer, and say where the answer stands."""
    from labkit.rag.embedder import load_embedder
    from labkit.rag.own_folder import open_folder
    from labkit.rag.pipeline import Pipeline
    from labkit.rag.reader import load_reader

    own = open_folder(options.folder, load_embedder(options.embedder))
    for sentence in own.unreadable:
        print(sentence, file=sys.stderr)
    reader, _ = load_reader(options.model)
    pipeline = Pipeline(own.store, reader, options.passages, options.budget, threshold=options.threshold)
    answer = pipeline(options.question)
    print(_told(own, answer))
    if options.stages:
        print(f"\n{answer}")
    return 0


def _told(own: OwnFolder, answer: CitedAnswer) -> str:
    read = f"passages read: {len(answer.prompt.used)}, prompt tokens: {answer.prompt.tokens}"
    new = f"files new or changed: {own.ingested.written}, gone: {own.ingested.withdrawn}"
    note = f"(probability {answer.probability:.2f}; {read}; {new})"
    if answer.unseen:
        return f"Not known: no document says {' or '.join(answer.unseen)}.\n{note}"
    if answer.abstained:
        return f"Not known: the passages found do not say, or the model is not sure enough.\n{note}"
    if answer.citation is None:
        return f"{answer.text}\n  No passage says this: do not rely on it.\n{note}"
    return f"{answer.text}  [{own.place(answer.citation)}]\n  {own.line(answer.citation)}\n{note}"
