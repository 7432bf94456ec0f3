"""Servers that other hands wrote, with a small model behind them: uvicorn and gunicorn.

Both count the requests that they answer; ``GET /count`` says how many there were.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.wire import chunk, completion, event, usage_of

WORDS = ("Three", " words", " here.")

_asked = 0


def _answer(body: bytes) -> tuple[str, list[bytes]]:
    """The content type and the pieces of an answer to a request's body."""
    global _asked
    _asked += 1
    if not json.loads(body).get("stream"):
        return "application/json", [json.dumps(completion("".join(WORDS))).encode()]
    said = [event(chunk(word)) for word in WORDS]
    end = [event(chunk(finish_reason="stop")), event(chunk(usage=usage_of())), event("[DONE]")]
    return "text/event-stream", said + end


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """For gunicorn: one whole body with its length, or pieces of which it makes chunks."""
    if environ["REQUEST_METHOD"] == "GET":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(_asked).encode()]
    size = int(environ.get("CONTENT_LENGTH") or 0)
    content_type, pieces = _answer(environ["wsgi.input"].read(size))
    headers = [("Content-Type", content_type)]
    if len(pieces) == 1:
        headers.append(("Content-Length", str(len(pieces[0]))))
    start_response("200 OK", headers)
    return iter(pieces)


async def asgi(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """For uvicorn."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if scope["method"] == "GET":
        content_type, pieces = "text/plain", [str(_asked).encode()]
    else:
        content_type, pieces = _answer(body)
    headers = [(b"content-type", content_type.encode())]
    if len(pieces) == 1:
        headers.append((b"content-length", str(len(pieces[0])).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


@contextlib.contextmanager
def uvicorn_url() -> Iterator[str]:
    """The base URL of a uvicorn, in a thread of this process."""
    import uvicorn

    config = uvicorn.Config(asgi, log_level="error", lifespan="off", loop="asyncio", ws="none")
    server = uvicorn.Server(config)
    sock = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([sock],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join()
        sock.close()


@contextlib.contextmanager
def gunicorn_url() -> Iterator[str]:
    """The base URL of a gunicorn with one sync worker, in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        command = [sys.executable, "-m", "gunicorn", "--worker-class", "sync", "--workers", "1"]
        command += ["--bind", f"fd://{sock.fileno()}", "--log-level", "error", f"{__name__}:wsgi"]
        process = subprocess.Popen(command, pass_fds=[sock.fileno()], cwd=Path(__file__).parents[2])
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}/v1"
        finally:
            process.terminate()
            process.wait()


SERVERS = {"uvicorn": uvicorn_url, "gunicorn": gunicorn_url}


def count(url: str) -> int:
    """How many completions the server was asked for so far."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/count") as answer:
        return int(answer.read())
