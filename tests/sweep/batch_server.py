"""A server with the endpoints Files and Batch, whose batches go the way that a test says.

It is Starlette's (its forms are read by python-multipart), on uvicorn in a thread. Each batch goes
one step further each time that it is asked about, along `course`, a list of states; `answers` says
which of its requests are answered by the end, `fails` which fail, each by the row's question.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.wire import completion

COMPLETED = ["validating", "in_progress", "finalizing", "completed"]
EXPIRED = ["validating", "in_progress", "finalizing", "expired"]


class BatchServer:
    """`url` is its base URL. `requests` are (method, path) of all that was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[str, str]] = []
        self.keys: set[str] = set()
        self.files: dict[str, dict[str, Any]] = {}
        self.batches: list[dict[str, Any]] = []
        self.course = COMPLETED
        self.answers: Callable[[str], bool] = lambda _: True
        self.fails: Callable[[str], int] = lambda _: 0
        self.errors: list[dict[str, Any]] = []
        self.has_batches = True
        self.page = 100
        self.lists_metadata = True
        #: told of each request before it is answered; what it gives is answered instead
        self.before: Callable[[str, str], Response | None] = lambda _method, _path: None
        #: told of each request after it was answered; what it gives is sent instead
        self.after: Callable[[str, str], Response | None] = lambda _method, _path: None
        self.chats: list[str] = []

    # the answers

    def _file(self, name: str, data: bytes, purpose: str) -> dict[str, Any]:
        made = {
            "id": f"file-{len(self.files)}",
            "object": "file",
            "bytes": len(data),
            "created_at": int(time.time()),
            "filename": name,
            "purpose": purpose,
            "status": "processed",
        }
        self.files[made["id"]] = {"facts": made, "data": data}
        return made

    def _go_on(self, batch: dict[str, Any]) -> None:
        course = batch["course"]
        place = course.index(batch["facts"]["status"])
        if place + 1 < len(course):
            self._become(batch, course[place + 1])

    def _become(self, batch: dict[str, Any], status: str) -> None:
        facts = batch["facts"]
        facts["status"] = status
        names = {"completed", "failed", "expired", "cancelled", "in_progress", "finalizing"}
        if status in names:
            facts[f"{status}_at"] = int(time.time())
        if status == "failed":
            facts["errors"] = {"object": "list", "data": self.errors}
        if status in ("completed", "expired", "cancelled"):
            self._answer(batch, status)

    def _answer(self, batch: dict[str, Any], status: str) -> None:
        good, bad = [], []
        for number, line in enumerate(self.lines(batch)):
            question = line["body"]["messages"][-1]["content"]
            found: dict[str, Any] = {
                "id": f"batch_req_{number}",
                "custom_id": line["custom_id"],
                "error": None,
            }
            if code := self.fails(question):
                body = {"error": {"message": f"no {question}", "code": "bad", "type": "x"}}
                found["response"] = {"status_code": code, "request_id": "r", "body": body}
                bad.append(found)
            elif self.answers(question):
                body = completion(f"{question}!") | {"model": line["body"]["model"]}
                body["id"] = f"chatcmpl-{batch['facts']['id']}-{number}"
                found["response"] = {"status_code": 200, "request_id": "r", "body": body}
                good.append(found)
            else:
                found["response"] = None
                found["error"] = {"code": f"batch_{status}", "message": f"It was {status}."}
                bad.append(found)
        facts, lines = batch["facts"], lambda rows: "".join(json.dumps(r) + "\n" for r in rows)
        if good:
            file = self._file("output.jsonl", lines(good[::-1]).encode(), "batch_output")
            facts["output_file_id"] = file["id"]
        if bad:
            file = self._file("errors.jsonl", lines(bad).encode(), "batch_output")
            facts["error_file_id"] = file["id"]
        total = len(good) + len(bad)
        facts["request_counts"] = {"total": total, "completed": len(good), "failed": len(bad)}

    def lines(self, batch: dict[str, Any]) -> list[dict[str, Any]]:
        """The requests of a batch."""
        data = self.files[batch["facts"]["input_file_id"]]["data"]
        return [json.loads(line) for line in data.splitlines()]

    # the addresses

    async def upload(self, request: Request) -> Response:
        async with request.form() as form:
            file: Any = form["file"]
            made = self._file(file.filename, await file.read(), str(form["purpose"]))
        return JSONResponse(made)

    async def list_files(self, request: Request) -> Response:
        purpose = request.query_params.get("purpose")
        listed = [file["facts"] for file in self.files.values()]
        return self._page([f for f in listed if purpose in (None, f["purpose"])], request)

    async def content(self, request: Request) -> Response:
        file = self.files.get(request.path_params["id"])
        if file is None:
            return JSONResponse({"error": {"message": "no such file"}}, 404)
        return Response(file["data"], media_type="application/octet-stream")

    async def create(self, request: Request) -> Response:
        asked = await request.json()
        if asked["input_file_id"] not in self.files:
            return JSONResponse({"error": {"message": "no such file"}}, 400)
        facts = {
            "id": f"batch_{len(self.batches)}",
            "object": "batch",
            "endpoint": asked["endpoint"],
            "input_file_id": asked["input_file_id"],
            "completion_window": asked["completion_window"],
            "status": self.course[0],
            "created_at": int(time.time()),
            "expires_at": int(time.time()) + 86_400,
            "metadata": asked.get("metadata"),
            "errors": None,
            "output_file_id": None,
            "error_file_id": None,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
        }
        self.batches.append({"facts": facts, "course": list(self.course)})
        return JSONResponse(facts)

    async def list_batches(self, request: Request) -> Response:
        if not self.has_batches:
            return JSONResponse({"detail": "Not Found"}, 404)
        listed = [dict(batch["facts"]) for batch in reversed(self.batches)]
        if not self.lists_metadata:
            for facts in listed:
                facts.pop("metadata")
        return self._page(listed, request)

    async def retrieve(self, request: Request) -> Response:
        for batch in self.batches:
            if batch["facts"]["id"] == request.path_params["id"]:
                self._go_on(batch)
                return JSONResponse(batch["facts"])
        return JSONResponse({"error": {"message": "no such batch"}}, 404)

    async def cancel(self, request: Request) -> Response:
        batch = next(b for b in self.batches if b["facts"]["id"] == request.path_params["id"])
        if batch["facts"]["status"] in ("completed", "failed", "expired", "cancelled"):
            return JSONResponse({"error": {"message": "it has ended"}}, 409)
        batch["facts"]["status"] = "cancelling"
        batch["course"] = ["cancelling", "cancelled"]
        return JSONResponse(batch["facts"])

    async def chat(self, request: Request) -> Response:
        question = (await request.json())["messages"][-1]["content"]
        self.chats.append(question)
        return JSONResponse(completion(f"{question}?"))

    def _page(self, listed: list[dict[str, Any]], request: Request) -> Response:
        ids = [entry["id"] for entry in listed]
        after = request.query_params.get("after")
        start = ids.index(after) + 1 if after else 0
        size = min(int(request.query_params.get("limit", 20)), self.page)
        page = listed[start : start + size]
        return JSONResponse({
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": start + size < len(listed),
        })  # fmt: skip

    def app(self) -> Any:
        """All of it, as an application."""
        inner = Starlette(
            routes=[
                Route("/v1/files", self.upload, methods=["POST"]),
                Route("/v1/files", self.list_files, methods=["GET"]),
                Route("/v1/files/{id}/content", self.content, methods=["GET"]),
                Route("/v1/batches", self.create, methods=["POST"]),
                Route("/v1/batches", self.list_batches, methods=["GET"]),
                Route("/v1/batches/{id}", self.retrieve, methods=["GET"]),
                Route("/v1/batches/{id}/cancel", self.cancel, methods=["POST"]),
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
            ]
        )

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                return
            method, path = scope["method"], scope["path"]
            self.requests.append((method, path))
            self.keys |= {v.decode() for k, v in scope["headers"] if k == b"authorization"}
            instead = self.before(method, path)
            if instead is not None:
                await instead(scope, receive, send)
                return
            held: list[Any] = []

            async def hold(message: Any) -> None:
                held.append(message)

            await inner(scope, receive, hold)
            instead = self.after(method, path)
            if instead is not None:
                await instead(scope, receive, send)
                return
            for message in held:
                await send(message)

        return app


async def cut(_scope: Any, _receive: Any, send: Any) -> None:
    """An answer that ends in the middle: the connection is closed."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"id": "ba', "more_body": True})


@contextlib.contextmanager
def batch_server() -> Iterator[BatchServer]:
    """A running server, which ends with the test."""
    made = BatchServer()
    # of this protocol by name: only then asyncio sends without waiting for more
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    made.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    config = uvicorn.Config(
        made.app(), log_level="critical", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(server.serve([listener])), daemon=True
    )
    thread.start()
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join(10)
        loop.close()
        listener.close()
