"""A server by other hands (uvicorn) that fails in many ways, and remembers what it was asked.

    python -m tests.sweep.faulty_server PORT

Of its answers to requests 20 % are 429, 5 % are 500, 2 % end in the middle, and 1 % are garbage.
``GET /log`` gives the question and the outcome of each request, in their order, ``GET /answered``
how many were answered.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from typing import Any

import uvicorn

from tests.wire import completion

LOG: list[tuple[str, str]] = []
CHANCES = random.Random(3)


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if scope["method"] == "GET":
        is_count = scope["path"] == "/answered"
        told = sum(kind == "answered" for _, kind in LOG) if is_count else LOG
        await answer(send, 200, json.dumps(told).encode())
        return
    question = json.loads(body)["messages"][-1]["content"]
    draw = CHANCES.random()
    kind = "answered"
    for name, share in (("limited", 0.2), ("failed", 0.05), ("dropped", 0.02), ("garbage", 0.01)):
        if draw < share:
            kind = name
            break
        draw -= share
    LOG.append((question, kind))
    await asyncio.sleep(0.005)
    whole = json.dumps(completion(f"{question}!")).encode()
    if kind == "limited":
        await answer(send, 429, b'{"error": {"message": "slower, please"}}')
    elif kind == "failed":
        await answer(send, 500, b'{"error": {"message": "no idea"}}')
    elif kind == "garbage":
        await answer(send, 200, b"\xff\x00<html>{")
    elif kind == "dropped":  # returns with a part of what it announced: the connection is closed
        await answer(send, 200, whole, n_sent=20)
    else:
        await answer(send, 200, whole)


async def answer(send: Any, status: int, body: bytes, n_sent: int | None = None) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    piece = body if n_sent is None else body[:n_sent]
    await send({"type": "http.response.body", "body": piece, "more_body": n_sent is not None})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="critical")
