"""`labkit serve NAME`: a model behind an OpenAI-compatible server on this machine."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.serving.service import Service


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("name", help="shipped name, folder or hub name of the model")
    parser.add_argument("--host", default="127.0.0.1", help="another address than loopback opens it to the network")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument("--quantization", metavar="SCHEME", help="w8a8, w4a16, int8, nf4 ...: as `load` takes it")
    parser.add_argument("--dtype", default="auto", help="of weights and cache: float32, bfloat16 ...")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--max-num-seqs", type=int, default=16, help="requests that are computed together at most")
    parser.add_argument("--max-num-batched-tokens", type=int, default=512, help="tokens of a step at most")
    parser.add_argument("--prefill-chunk", type=int, help="tokens of one prompt in a step at most; smaller is smoother")
    parser.add_argument("--block-size", type=int, default=16, help="tokens of a block of the cache")
    parser.add_argument("--cache-tokens", type=int, help="size of the cache; as a rule room for all at full length")
    parser.add_argument("--no-cuda-graphs", action="store_true", help="on a GPU, start a decode step kernel by kernel")
    parser.add_argument("--max-waiting", type=int, default=1024, help="requests in line before more are refused (503)")


def run(options: argparse.Namespace) -> int:
    """Load, serve until interrupted."""
    from labkit.serving.assembling import Limits, load_service

    limits = Limits(
        max_num_seqs=options.max_num_seqs,
        max_num_batched_tokens=options.max_num_batched_tokens,
        prefill_chunk=options.prefill_chunk,
        block_size=options.block_size,
        cache_tokens=options.cache_tokens,
        cuda_graphs=not options.no_cuda_graphs,
        max_waiting=options.max_waiting,
    )
    service = load_service(options.name, limits, options.quantization, options.dtype, options.device)
    asyncio.run(_serve(service, options.host, options.port))
    return 0


async def _serve(service: Service, host: str, port: int) -> None:
    from labkit.serving.http_server import openai_server

    async with service.engine, openai_server(service, host, port) as address:
        pool = service.engine.scheduler.pool
        print(f"{service.offer.name} is served at {address}/v1, up to {service.offer.context:,} tokens a request,")
        print(f"with {pool.num_blocks:,} blocks of {pool.block_size} tokens. Stop it with Ctrl-C.", flush=True)
        await asyncio.Event().wait()
