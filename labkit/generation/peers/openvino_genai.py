"""OpenVINO GenAI, on the export that Optimum Intel makes: fp32, or weights in 8 or 4 bits.

Steps are taken by the pipeline for continuous batching, one step a token, the only one of GenAI's that gives the clock
to its caller between two steps of a batch. It tells no logits: they come from the same file in OpenVINO's own runtime.
"bf16" are the fp32 file's weights computed with in bf16. The cache keeps the kind of the computation, not 8 bits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from labkit.generation.peers.engine import Blocked, Clock, Job
from labkit.generation.peers.tools import run_module

_PRECISION = {"bf16": "bf16"}
_WEIGHTS = {"bf16": "fp32"}


def start(job: Job) -> OpenVino:
    """The checkpoint in `job.kind`: fp32, bf16, int8 or int4."""
    import openvino
    import openvino_genai

    if job.kind == "bf16" and "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise Blocked("OpenVINO does not compute in bf16 on this processor")
    weights = _WEIGHTS.get(job.kind, job.kind)
    export = ("export", "openvino", "--task", "text-generation-with-past", "--weight-format", weights)
    folder = job.converted(
        f"openvino-{weights}",
        lambda place: run_module("optimum.commands.optimum_cli", *export, "--model", str(job.folder), str(place)),
    )
    return OpenVino(openvino, openvino_genai, folder, job)


class OpenVino:
    """A pipeline for the steps, and a compiled model for the logits once they are asked for."""

    def __init__(self, runtime: Any, genai: Any, folder: Path, job: Job) -> None:
        self._runtime, self._genai, self._folder = runtime, genai, folder
        precision = _PRECISION.get(job.kind, "f32")
        self._properties = {
            "INFERENCE_NUM_THREADS": job.threads,
            "INFERENCE_PRECISION_HINT": precision,
            "KV_CACHE_PRECISION": precision,
        }
        plan = genai.SchedulerConfig()
        plan.max_num_batched_tokens, plan.max_num_seqs = job.rows * job.length, job.rows
        plan.cache_size, plan.enable_prefix_caching = 1, False
        self._pipeline = genai.ContinuousBatchingPipeline(str(folder), plan, "CPU", self._properties)
        self._stateful: Any = None

    def last_logits(self, tokens: list[int]) -> list[float]:
        if self._stateful is None:
            model = self._runtime.Core().compile_model(self._folder / "openvino_model.xml", "CPU", self._properties)
            self._stateful = model.create_infer_request()
        self._stateful.reset_state()
        self._infer(tokens[:-1], 0)
        return self._infer(tokens[-1:], len(tokens) - 1)[0, -1].tolist()

    def _infer(self, tokens: list[int], held: int) -> np.ndarray:
        known = {key.get_any_name() for key in self._stateful.model_inputs}
        count = held + len(tokens)
        given = {
            "input_ids": np.array([tokens]),
            "attention_mask": np.ones((1, count), dtype=np.int64),
            "position_ids": np.arange(held, count)[None],
            "beam_idx": np.zeros(1, dtype=np.int32),
        }
        return self._stateful.infer({name: value for name, value in given.items() if name in known})["logits"]

    def write(self, prompt: list[list[int]], tokens: int, clock: Clock) -> list[float]:
        settings = self._genai.GenerationConfig()
        settings.max_new_tokens, settings.ignore_eos, settings.do_sample = tokens, True, False
        handles = [
            self._pipeline.add_request(n, self._runtime.Tensor(np.array([row])), settings)
            for n, row in enumerate(prompt)
        ]
        times = []
        while self._pipeline.has_non_finished_requests():
            self._pipeline.step()
            times.append(clock())
        if len(times) != tokens:
            raise Blocked(f"{len(handles)} rows of {tokens} tokens took {len(times)} steps: not one step a token")
        return times
