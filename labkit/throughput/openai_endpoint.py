"""Any server that speaks OpenAI's HTTP interface: `labkit serve`, vLLM, SGLang, llama.cpp, `transformers serve`, Ray.

A client for measuring, so it does nothing on its own: no retries, no proxy, no limit on connections. The text of an
answer is looked at and dropped.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import httpx2

from labkit.throughput.connections import Connections
from labkit.throughput.endpoint import Chunk, EndpointError
from labkit.throughput.openai_answer import DONE, chunk_of, shortened, told
from labkit.throughput.request import Request
from labkit.throughput.sse import MalformedStreamError, events

MOST_OF_AN_ERROR = 1 << 16
"""Bytes of an error's text that are read."""
PIECES_PER_TOKEN = 4
"""An answer in more pieces than this is not one to the request: the server ignores `max_tokens`."""


class OpenAIEndpoint:
    """One model behind `base_url` ("http://127.0.0.1:8000"); use it with `async with`.

    `options` goes into every request: `{"ignore_eos": True}` makes vLLM, SGLang and `labkit serve` write answers of the
    length asked for; `{"stream_options": {"include_usage": True, "continuous_usage_stats": True}}` makes vLLM count the
    tokens of each piece.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        interface: Literal["completions", "chat"] = "completions",
        options: Mapping[str, Any] | None = None,
        api_key: str | None = None,
    ) -> None:
        self.base_url, self.model, self.interface = _address(base_url), model, interface
        self.options = {"temperature": 0, "stream_options": {"include_usage": True}} | dict(options or {})
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._connections = Connections(self.base_url, headers)

    async def __aenter__(self) -> OpenAIEndpoint:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connections.close()

    async def check(self) -> None:
        """Raises `EndpointError` unless the server is there and has the model; sends no prompt, so warms no cache."""
        with self._failures(), self._connections.one() as client:
            response = await client.get("/v1/models", timeout=10)
        try:
            offered = [model["id"] for model in response.raise_for_status().json()["data"]]
        except (httpx2.HTTPStatusError, ValueError, KeyError, TypeError):
            raise EndpointError(
                f"{self.base_url} answered {response.status_code} and no list of models at /v1/models: "
                f"{shortened(response.text)}"
            ) from None
        if self.model not in offered:
            raise EndpointError(
                f"{self.base_url} does not offer the model {self.model!r}; it offers {', '.join(offered) or 'none'}."
            )

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """The pieces of one answer; `EndpointError` where the server refuses, breaks off or sends something else."""
        path, body = self._body(request)
        with self._failures(), self._connections.one() as client:
            async with client.stream("POST", path, json=body) as response:
                if response.status_code != httpx2.codes.OK:
                    raise EndpointError(await self._refusal(response))
                ended, room = False, PIECES_PER_TOKEN * request.output_length + 64
                async for data in events(response.aiter_bytes()):
                    if data == DONE:
                        ended = True
                        continue  # to the end of the body, or the connection could not serve the next request
                    chunk, last = chunk_of(data)
                    ended, room = ended or last, room - 1
                    if room < 0:
                        raise MalformedStreamError(f"it goes on where {request.output_length} tokens were asked for")
                    yield chunk
                if not ended:
                    raise MalformedStreamError("the answer stopped before its end was announced")

    def _body(self, request: Request) -> tuple[str, dict[str, Any]]:
        common = {"model": self.model, "max_tokens": request.output_length, "stream": True, **self.options}
        if self.interface == "completions":
            return "/v1/completions", common | {"prompt": request.prompt}
        if not isinstance(request.prompt, str):
            raise ValueError("The chat interface takes text; make the workload with prompts of words.")
        return "/v1/chat/completions", common | {"messages": [{"role": "user", "content": request.prompt}]}

    async def _refusal(self, response: httpx2.Response) -> str:
        received = b""
        async for part in response.aiter_bytes():
            received += part
            if len(received) > MOST_OF_AN_ERROR:
                break
        reason = told(_json(received.decode("utf-8", "replace")))
        return f"{self.base_url} answered {response.status_code} to a request for {self.model!r}: {reason}"

    @contextmanager
    def _failures(self):
        """What can go wrong between two machines, each in a sentence."""
        try:
            yield
        except httpx2.ConnectError as error:
            raise EndpointError(
                f"No server answers at {self.base_url} ({error}); is it running, and is the port right?"
            ) from None
        except MalformedStreamError as error:
            raise EndpointError(f"The stream from {self.base_url} is malformed: {error}.") from None
        except httpx2.RemoteProtocolError as error:
            raise EndpointError(f"{self.base_url} broke off in the middle of an answer ({error}).") from None
        except httpx2.HTTPError as error:
            what = f"{type(error).__name__}: {error}".removesuffix(": ")
            raise EndpointError(f"The connection to {self.base_url} failed ({what}).") from None


def _address(base_url: str) -> str:
    try:
        scheme = httpx2.URL(base_url).scheme
    except httpx2.InvalidURL:
        scheme = ""
    if scheme not in ("http", "https"):
        raise ValueError(f"{base_url!r} is no address of a server; give one such as 'http://127.0.0.1:8000'.")
    return base_url.rstrip("/").removesuffix("/v1")


def _json(text: str) -> Any:
    """The value of a JSON text, or the text itself where it is none."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return shortened(text)
