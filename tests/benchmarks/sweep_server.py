"""A server that does as little as one can: PORT, seconds of latency, tokens with alternatives."""

from __future__ import annotations

import asyncio
import json
import sys

from tests.wire import completion, made_up_logprobs


class Answering(asyncio.Protocol):
    """Answers each request on its connection with the same bytes."""

    def __init__(self, answer: bytes, latency_s: float):
        self.answer, self.latency_s = answer, latency_s
        self.data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end].lower()
            place = head.find(b"content-length:")
            length = int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
            if len(self.data) < end + 4 + length:
                return
            self.data = self.data[end + 4 + length :]
            if self.latency_s:
                asyncio.get_running_loop().call_later(self.latency_s, self.write)
            else:
                self.write()

    def write(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self.answer)


async def serve(port: int, latency_s: float, n_tokens: int) -> None:
    text = " ".join(["word"] * max(n_tokens, 1))
    logprobs = made_up_logprobs(text, 20) if n_tokens else None
    body = json.dumps(completion(text, logprobs=logprobs)).encode()
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Answering(head.encode() + body, latency_s), "127.0.0.1", port, backlog=1024
    )
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
