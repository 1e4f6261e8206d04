"""llama.cpp through the low-level functions of llama-cpp-python, on a GGUF file that we write.

Rows of a batch are sequences of one context; their keys and values are fp16, llama.cpp's default. Written against the
source of llama-cpp-python 0.3.36 and tried on a stand-in for it only: it comes without wheels, to be compiled.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from labkit.generation.peers.engine import Blocked, Clock, Job

_ERROR = 4  # ggml_log_level


def start(job: Job) -> LlamaCpp:
    """The checkpoint in `job.kind`: F32, BF16, Q8_0 or Q4_0."""
    import llama_cpp

    from labkit.generation.peers.gguf_file import write_gguf

    place = job.converted(f"llama-{job.kind}.gguf", lambda path: write_gguf(job.folder, job.kind, path))
    return LlamaCpp(llama_cpp, str(place), job)


class LlamaCpp:
    """A model and a context for `job.rows` sequences, each of `job.length` tokens at most."""

    def __init__(self, library: Any, place: str, job: Job) -> None:
        self._library, self._errors = library, []
        self._listener = library.llama_log_callback(self._hear)  # kept, for the library keeps only its address
        library.llama_log_set(self._listener, None)
        library.llama_backend_init()
        self._model = library.llama_model_load_from_file(place.encode(), library.llama_model_default_params())
        if not self._model:
            raise Blocked(f"llama.cpp does not take the file: {self._reason()}")
        settings = library.llama_context_default_params()
        settings.n_ctx = job.rows * -(-job.length // 256) * 256  # a sequence's share is a multiple of 256
        settings.n_batch = settings.n_ubatch = job.rows * job.length
        settings.n_seq_max, settings.no_perf = job.rows, True
        settings.n_threads = settings.n_threads_batch = job.threads
        self._context = library.llama_init_from_model(self._model, settings)
        if not self._context:
            raise Blocked(f"llama.cpp makes no context of this model: {self._reason()}")
        self._vocab = library.llama_vocab_n_tokens(library.llama_model_get_vocab(self._model))
        self._batch = library.llama_batch_init(job.rows * job.length, 0, 1)

    def last_logits(self, tokens: list[int]) -> list[float]:
        self._forget()
        self._decode([tokens[:-1]], 0)
        return self._decode([tokens[-1:]], len(tokens) - 1)[0].tolist()

    def write(self, prompt: list[list[int]], tokens: int, clock: Clock) -> list[float]:
        self._forget()
        pending, held, times = prompt, 0, []
        for _ in range(tokens):
            logits = self._decode(pending, held)
            held += len(pending[0])
            pending = [[int(row.argmax())] for row in logits]
            times.append(clock())
        return times

    def _hear(self, level: int, text: bytes, _: Any) -> None:
        if level == _ERROR:
            self._errors.append(text.decode(errors="replace").strip())

    def _reason(self) -> str:
        return self._errors[0] if self._errors else "it does not say why"

    def _forget(self) -> None:
        self._library.llama_memory_clear(self._library.llama_get_memory(self._context), True)

    def _decode(self, rows: list[list[int]], held: int) -> list[np.ndarray]:
        """Logits after the last token of each row; every row has `held` tokens in the cache already."""
        batch, lasts = self._batch, []
        batch.n_tokens = 0
        for sequence, row in enumerate(rows):
            for offset, token in enumerate(row):
                n = batch.n_tokens
                batch.token[n], batch.pos[n], batch.logits[n] = token, held + offset, offset == len(row) - 1
                batch.n_seq_id[n], batch.seq_id[n][0] = 1, sequence
                batch.n_tokens += 1
            lasts.append(batch.n_tokens - 1)
        if code := self._library.llama_decode(self._context, batch):
            raise Blocked(f"llama_decode ended with {code}")
        logits = (self._library.llama_get_logits_ith(self._context, n) for n in lasts)
        return [np.ctypeslib.as_array(one, shape=(self._vocab,)) for one in logits]
