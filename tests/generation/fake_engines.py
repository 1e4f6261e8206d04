"""Stand-ins for the libraries of other engines, each around a decoder of ours: what an adapter asks must be answered.

They keep the manners of the real ones as far as the adapters rely on them: sequences and positions in llama.cpp,
requests and steps in OpenVINO GenAI and vLLM, generators in ONNX Runtime GenAI. `written` is what was decoded, a row a
list.
"""

import ctypes
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch


def _logits(model, row):
    with torch.inference_mode():
        return model(torch.tensor([row]))[0, -1].numpy()


class LlamaCpp:
    """Functions of llama-cpp-python over one model and one context; logits stay where they lie until the next call."""

    def __init__(self, model, code=0):
        self.model, self.code, self.written, self._held = model, code, {}, []

    def __getattr__(self, name):
        if name.startswith("llama_"):
            return lambda *given: SimpleNamespace()
        raise AttributeError(name)

    def llama_log_set(self, listener, data):
        self.listener = listener

    def llama_log_callback(self, function):
        return function

    def llama_model_load_from_file(self, place, settings):
        if self.model is None:
            self.listener(2, b"reading the file\n", None)
            self.listener(4, b"wrong number of tensors\n", None)
            self.listener(4, b"failed to load model\n", None)
        return self.model and object()

    def llama_init_from_model(self, model, settings):
        self.settings = settings
        return object()

    def llama_vocab_n_tokens(self, vocab):
        return self.model.config.vocab_size

    def llama_batch_init(self, tokens, embeddings, sequences):
        rows = [[0] * sequences for _ in range(tokens)]
        lists = {name: [0] * tokens for name in ("token", "pos", "logits", "n_seq_id")}
        return SimpleNamespace(n_tokens=0, seq_id=rows, **lists)

    def llama_memory_clear(self, memory, data):
        self.written = {}

    def llama_decode(self, context, batch):
        self._held = [None] * batch.n_tokens
        for n in range(batch.n_tokens):
            row = self.written.setdefault(batch.seq_id[n][0], [])
            assert batch.pos[n] == len(row)
            assert batch.n_seq_id[n] == 1
            row.append(batch.token[n])
            if batch.logits[n]:
                self._held[n] = np.ascontiguousarray(_logits(self.model, row))
        return self.code

    def llama_get_logits_ith(self, context, n):
        return self._held[n].ctypes.data_as(ctypes.POINTER(ctypes.c_float))


class OpenVino:
    """The runtime and GenAI in one: a stateful request, and a pipeline that is stepped."""

    def __init__(self, model, capabilities=("FP32",)):
        self.model, self.capabilities, self.written = model, capabilities, []
        self.SchedulerConfig, self.GenerationConfig = SimpleNamespace, SimpleNamespace
        self.Tensor = np.asarray

    def Core(self):  # noqa: N802 - the library's name
        return SimpleNamespace(get_property=lambda device, name: self.capabilities, compile_model=self._compile)

    def _compile(self, place, device, properties):
        names = ("input_ids", "attention_mask", "beam_idx")  # an export may do without position_ids
        inputs = [SimpleNamespace(get_any_name=lambda name=name: name) for name in names]
        request = SimpleNamespace(model_inputs=inputs, reset_state=self._forget, infer=self._infer)
        return SimpleNamespace(create_infer_request=lambda: request)

    def _forget(self):
        self._row = []

    def _infer(self, given):
        assert set(given) == {"input_ids", "attention_mask", "beam_idx"}
        self._row += given["input_ids"][0].tolist()
        assert given["attention_mask"].shape == (1, len(self._row))
        return {"logits": _logits(self.model, self._row)[None, None]}

    def ContinuousBatchingPipeline(self, folder, plan, device, properties):  # noqa: N802 - the library's name
        self.plan, self.properties = plan, properties
        return SimpleNamespace(
            add_request=self._add, step=self._step, has_non_finished_requests=lambda: any(self._left.values())
        )

    _left: dict = {}  # noqa: RUF012 - replaced, never changed

    def _add(self, name, tokens, settings):
        if name == 0:
            self.written, self._left = [], {}
        self.written.append(tokens[0].tolist())
        self._left[name] = settings.max_new_tokens

    def _step(self):
        for name, row in enumerate(self.written):
            row.append(int(_logits(self.model, row).argmax()))
            self._left[name] -= 1


class OnnxGenAI:
    """A model is its folder, a generator the rows it has."""

    def __init__(self, model):
        self.model, self.written = model, []

    def Model(self, folder):  # noqa: N802 - the library's name
        self.config = json.loads((Path(folder) / "genai_config.json").read_text(encoding="utf-8"))
        return self

    def GeneratorParams(self, model):  # noqa: N802 - the library's name
        return SimpleNamespace(set_search_options=self._set)

    def _set(self, **options):
        self.options = options

    def Generator(self, model, settings):  # noqa: N802 - the library's name
        self.written = [[] for _ in range(self.options["batch_size"])]
        return self

    def append_tokens(self, tokens):
        assert tokens.dtype == np.int32
        for row, new in zip(self.written, tokens, strict=True):
            row += new.tolist()

    def get_logits(self):
        return np.stack([_logits(self.model, row) for row in self.written])[:, None]

    def generate_next_token(self):
        self.append_tokens(self.get_logits()[:, 0].argmax(-1).astype(np.int32)[:, None])


class Vllm:
    """The engine inside `LLM`; a step with nobody to read brings no answer, like the chunks of a long prompt."""

    def __init__(self, model, idle_steps=0):
        self.model, self.idle_steps, self.requests = model, idle_steps, {}
        self.SamplingParams = lambda **given: SimpleNamespace(**given)

    def LLM(self, **options):  # noqa: N802 - the library's name
        self.options = options
        return SimpleNamespace(llm_engine=self)

    @property
    def written(self):
        return [row for row, _, _ in self.requests.values()]

    def add_request(self, name, prompt, settings):
        assert name not in self.requests
        if not self.has_unfinished_requests():
            self._idle, self.requests = self.idle_steps, {}
        self.requests[name] = [list(prompt["prompt_token_ids"]), settings.max_tokens, settings]

    def has_unfinished_requests(self):
        return any(left for _, left, _ in self.requests.values())

    def step(self):
        if self._idle:
            self._idle -= 1
            return []
        answers = []
        for request in self.requests.values():
            logits = _logits(self.model, request[0])
            request[0].append(int(logits.argmax()))
            request[1] -= 1
            told = {n: SimpleNamespace(logprob=float(x)) for n, x in enumerate(logits)}
            answers.append(SimpleNamespace(outputs=[SimpleNamespace(logprobs=[told])]))
        return answers
