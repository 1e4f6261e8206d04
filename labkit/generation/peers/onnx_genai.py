"""ONNX Runtime GenAI, on the model that its own builder makes: fp32, or weights in 4 bits.

The builder reads the base of rotary embedding from `rope_theta` at the top of config.json, where transformers 4 kept
it, and takes 10,000 without a word where it finds none: the copy that it is given says it there too.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from labkit.generation.peers.engine import Clock, Job
from labkit.generation.peers.tools import run_module


def start(job: Job) -> OnnxGenAI:
    """The checkpoint in `job.kind`: fp32 or int4."""
    import onnxruntime_genai

    folder = job.converted(f"onnx-{job.kind}", lambda place: _build(job, place))
    _set_threads(folder / "genai_config.json", job.threads)
    return OnnxGenAI(onnxruntime_genai, folder, job)


def _build(job: Job, place: Path) -> None:
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as copy:
        source = Path(shutil.copytree(job.folder, copy, dirs_exist_ok=True))
        config = json.loads((source / "config.json").read_text(encoding="utf-8"))
        config["rope_theta"] = config["rope_parameters"]["rope_theta"]
        (source / "config.json").write_text(json.dumps(config), encoding="utf-8")
        folders = ("-i", str(source), "-o", str(place), "-c", cache)
        run_module("onnxruntime_genai.models.builder", *folders, "-p", job.kind, "-e", "cpu")


def _set_threads(place: Path, threads: int) -> None:
    config: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    config["model"]["decoder"].setdefault("session_options", {})["intra_op_num_threads"] = threads
    place.write_text(json.dumps(config), encoding="utf-8")


class OnnxGenAI:
    """A model; each prompt gets a generator of its own, as the library wants it."""

    def __init__(self, library: Any, folder: Path, job: Job) -> None:
        self._library, self._length = library, job.length
        self._model = library.Model(str(folder))

    def last_logits(self, tokens: list[int]) -> list[float]:
        generator = self._generator(1)
        generator.append_tokens(np.array([tokens[:-1]], dtype=np.int32))
        generator.append_tokens(np.array([tokens[-1:]], dtype=np.int32))
        return np.asarray(generator.get_logits(), dtype=np.float32).reshape(-1).tolist()

    def write(self, prompt: list[list[int]], tokens: int, clock: Clock) -> list[float]:
        generator, times = self._generator(len(prompt)), []
        generator.append_tokens(np.array(prompt, dtype=np.int32))
        for _ in range(tokens):
            generator.generate_next_token()
            times.append(clock())
        return times

    def _generator(self, rows: int) -> Any:
        """With the least length at the greatest, no row ends at a stop token."""
        settings = self._library.GeneratorParams(self._model)
        lengths = {"max_length": self._length, "min_length": self._length}
        settings.set_search_options(do_sample=False, batch_size=rows, **lengths)
        return self._library.Generator(self._model, settings)
