"""What a load generator needs of a server: one request in, the pieces of its answer out, one by one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import NamedTuple, Protocol

from labkit.throughput.request import Request


class Chunk(NamedTuple):
    """A piece of an answer as it arrives.

    A chunk is not a token: servers send several tokens in one where decoding speculates or steps are grouped, and hold
    back the bytes of an unfinished letter. So the server's own counts go along where it tells them: tokens written so
    far, and tokens of prompt read. A piece without text (a role, a closing count) is no arrival for a reader.
    """

    text: str
    output_tokens: int | None = None
    prompt_tokens: int | None = None


class EndpointError(Exception):
    """A request went wrong; the message is a sentence that names the server, the cause and what to do."""


class Endpoint(Protocol):
    """Anything that answers requests piece by piece; closing the generator early hangs up."""

    def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """The chunks of one answer; raises `EndpointError` where there is none or it breaks off."""
        ...
