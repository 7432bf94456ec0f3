"""A server by other hands (uvicorn) that answers in a while, and is the witness of what was sent.

    python -m tests.sweep.witness_server PORT SECONDS

``GET /log`` gives the time, the question and the key of each request, in their order.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import uvicorn

from tests.sweep.faulty_server import answer
from tests.wire import completion

LOG: list[tuple[float, str, str]] = []


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
        await answer(send, 200, json.dumps(LOG).encode())
        return
    question = json.loads(body)["messages"][-1]["content"]
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    LOG.append((time.time(), question, headers.get("authorization", "")))
    await asyncio.sleep(float(sys.argv[2]))
    await answer(send, 200, json.dumps(completion(f"{question}!")).encode())


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="critical")
