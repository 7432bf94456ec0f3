"""A server by other hands (uvicorn) that repeats the question: descriptor, seconds it needs."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import uvicorn

from tests.wire import completion

_counted = 0


async def app(scope: Any, receive: Any, send: Any) -> None:
    global _counted
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if scope["method"] == "GET":
        data = json.dumps(_counted).encode()
    else:
        await asyncio.sleep(float(sys.argv[2]))
        _counted += 1
        data = json.dumps(completion(json.loads(body)["messages"][-1]["content"])).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": data})


if __name__ == "__main__":
    uvicorn.run(app, fd=int(sys.argv[1]), log_level="critical", lifespan="off")
