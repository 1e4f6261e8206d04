"""`labkit serve` from its arguments to an answer, in a process of its own."""

import argparse
import json
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from labkit.cli import serve

START = """
import argparse
from labkit.cli import serve
parser = argparse.ArgumentParser()
serve.add_arguments(parser)
try:
    serve.run(parser.parse_args())
except KeyboardInterrupt:
    print("stopped")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="blocked: no SIGINT for another process")
def test_it_serves_until_it_is_interrupted():
    arguments = ["course-seed", "--port", "0", "--dtype", "float32", "--cache-tokens", "512"]
    with subprocess.Popen([sys.executable, "-c", START, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            address = re.search(r"http://127\.0\.0\.1:\d+/v1", process.stdout.readline())[0]
            assert "32 blocks of 16 tokens" in process.stdout.readline()
            asked = {"model": "course-seed", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3}
            request = urllib.request.Request(f"{address}/chat/completions", json.dumps(asked).encode())
            with urllib.request.urlopen(request, timeout=120) as response:
                assert json.load(response)["usage"]["completion_tokens"] <= 3
        finally:
            process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "stopped\n"
        assert process.wait(timeout=60) == 0


def test_loopback_is_the_default():
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    assert parser.parse_args(["course-seed"]).host == "127.0.0.1"
