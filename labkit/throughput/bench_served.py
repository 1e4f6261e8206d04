"""`labkit serve` under load from another process: what HTTP costs it, and how far more users bring more tokens.

The server computes on one thread of its own, and the thread that started it does all else: connections, text, the
scheduler. So the processor time of its threads, which the system counts, is the cost of each a token.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from labkit.data import shipped
from labkit.generation.bench import LLAMA_44M, trained
from labkit.measure.progress import progress
from labkit.measure.promise import promised
from labkit.models import Decoder, save
from labkit.throughput.driving import closed_loop
from labkit.throughput.metrics import time_per_output_token
from labkit.throughput.openai_endpoint import OpenAIEndpoint
from labkit.throughput.request import token_numbers, workload

USERS = (1, 4, 16, 64)
REQUESTS_A_USER, PROMPT, TOKENS = 3, 64, 64
VOCABULARY = 4096
LARGEST_SHARE = 0.1
"""Of the model's processor time that everything else of the server may take, at 16 users."""


def bench_served(out: Path) -> dict[str, Any]:
    """The 44 M Llama with random weights and the course's vocabulary, and course-dense; plain data for JSON."""
    found = {}
    with tempfile.TemporaryDirectory(dir=out) as folder:
        found["random Llama with the course's vocabulary"] = served(str(random_llama_with_words(Path(folder))))
    dense = trained("course-dense")
    found["course-dense"] = served(str(dense)) if dense else {"blocked": "course-dense is not trained yet"}
    return found


def random_llama_with_words(folder: Path) -> Path:
    """Like `random_llama`, with a tokenizer: a server needs text."""
    torch.manual_seed(0)
    saved = save(Decoder(dataclasses.replace(LLAMA_44M, vocab_size=VOCABULARY)), folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(shipped(f"tokenizer/{name}"), saved / name)
    return saved


def served(model: str) -> dict[str, Any]:
    """A row for each number of users, and whether HTTP is cheap enough at 16 of them."""
    with labkit_serve(model) as (address, process):
        rows = [asyncio.run(loaded(address, process, users)) for users in progress(USERS, "users")]
    for row in rows:
        row["times one user"] = row["tokens/s"] / rows[0]["tokens/s"]
    share = next((row["all else by model"] for row in rows if row["users"] == 16), None)
    holds = share is not None and share < LARGEST_SHARE
    return {"users": rows, "bars": [promised("all else by model", share, LARGEST_SHARE, holds, users=16)]}


@contextmanager
def labkit_serve(model: str) -> Iterator[tuple[str, psutil.Process]]:
    """The address of a server in another process, which ends with the block, and that process."""
    command = [sys.executable, "-m", "labkit", "serve", model, "--port", "0", "--device", "cpu"]
    command += ["--max-num-seqs", str(max(USERS)), "--cache-tokens", str(max(USERS) * (PROMPT + TOKENS))]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            found = re.search(r"http://\S+(?=/v1)", line := process.stdout.readline())
            if not found:
                raise RuntimeError(f"`labkit serve {model}` did not start; it said {line!r}.")
            yield found[0], psutil.Process(process.pid)
        finally:
            process.terminate()


async def loaded(address: str, process: psutil.Process, users: int) -> dict[str, Any]:
    """One closed loop: tokens a second, and processor seconds a token of the model's thread and of the other."""
    count = REQUESTS_A_USER * users
    requests = workload(
        [0.0] * count, [PROMPT] * count, [TOKENS] * count, np.random.default_rng(users), token_numbers(VOCABULARY)
    )
    async with OpenAIEndpoint(address, await _only_model(address), options={"ignore_eos": True}) as endpoint:
        before = _seconds(process)
        run = await closed_loop(endpoint, requests, users)
        after = _seconds(process)
    if len(run.completed) < count:
        error = next(record.error for record in run.records if record.error)
        raise RuntimeError(f"The server failed a request, so nothing was measured: {error}")
    model, rest = (b - a for a, b in zip(before, after, strict=True))
    tokens = sum(record.tokens_written for record in run.records)
    return {
        "users": users,
        "tokens/s": tokens / run.seconds,
        "mean ms a token": 1e3 * float(np.mean([time_per_output_token(record) for record in run.records])),
        "model, processor seconds a token": model / tokens,
        "all else, processor seconds a token": rest / tokens,
        "all else by model": rest / model if model else None,
    }


async def _only_model(address: str) -> str:
    import httpx2

    async with httpx2.AsyncClient(base_url=address, trust_env=False) as client:
        return (await client.get("/v1/models")).json()["data"][0]["id"]


def _seconds(process: psutil.Process) -> tuple[float, float]:
    """Processor time of all threads but the first, and of the first."""
    times = {thread.id: thread.user_time + thread.system_time for thread in process.threads()}
    first = min(times)
    return sum(times.values()) - times[first], times[first]
