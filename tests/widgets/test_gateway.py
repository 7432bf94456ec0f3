"""Behind a kernel gateway no bytes get through to the page: one binary frame ends the link."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket

pytestmark = pytest.mark.kernel

INSPECT = """
import nbchat
from nbchat.api.logprobs import TokenTable
from nbchat.api.response import Choice, ChoiceLogprobs, Completion, ResponseMessage
first, second = ({"token": text, "logprob": -1.0, "bytes": None} for text in "ab")
rows = [{**first, "top_logprobs": [first, second]}] * 3
choice = Choice(0, ResponseMessage(content="aaa"), "stop", ChoiceLogprobs(TokenTable.build(rows)))
nbchat.inspect(nbchat.Run.from_completion(Completion(choices=[choice])))
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def serving(folder: Path, port: int, *command: str) -> Iterator[str]:
    """A server that is there when its address answers, and gone afterwards."""
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(folder), "IPYTHONDIR": str(folder)}
    log = folder / f"{port}.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, env=environment, stdout=out, stderr=out
        )
        try:
            deadline = time.monotonic() + 60
            while True:
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                with contextlib.suppress(OSError):
                    with urllib.request.urlopen(f"{url}/api"):
                        break
                time.sleep(0.1)
            yield url
        finally:
            server.terminate()
            server.wait(20)


class Notebook:
    """A notebook's link to a kernel, as a page has it."""

    def __init__(self, url: str):
        self.url = url
        asked = urllib.request.Request(f"{url}/api/kernels", data=b"{}", method="POST")
        with urllib.request.urlopen(asked) as answer:
            self.kernel = json.load(answer)["id"]
        self.link = websocket.create_connection(
            f"{url.replace('http', 'ws')}/api/kernels/{self.kernel}/channels", timeout=5
        )
        for _ in range(20):  # what a kernel says before it is listened to is lost
            with contextlib.suppress(websocket.WebSocketTimeoutException):
                self.run("")
                break
        self.link.settimeout(60)

    def run(self, code: str) -> list[dict[str, Any]]:
        """Run a cell; all messages of it up to the one that it is over."""
        header = {
            "msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "",
            "version": "5.3", "session": "page", "date": "2026-11-29T00:00:00Z",
        }  # fmt: skip
        content = {
            "code": code, "silent": False, "store_history": True, "allow_stdin": False,
            "user_expressions": {}, "stop_on_error": True,
        }  # fmt: skip
        self.link.send(
            json.dumps(
                {
                    "header": header, "parent_header": {}, "metadata": {"cellId": header["msg_id"]},
                    "content": content, "channel": "shell", "buffers": [],
                }
            )
        )  # fmt: skip
        messages: list[dict[str, Any]] = []
        while True:
            message = json.loads(self.link.recv())  # a binary frame is no JSON
            messages.append(message)
            is_own = message["parent_header"].get("msg_id") == header["msg_id"]
            if is_own and message["content"].get("execution_state") == "idle":
                return messages


def test_an_inspector_leaves_the_link_to_its_kernel_alone(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    gateway = serving(
        tmp_path, ports[0], "kernel_gateway", f"--KernelGatewayApp.port={ports[0]}",
        "--KernelGatewayApp.ip=127.0.0.1",
    )  # fmt: skip
    with gateway as there:
        server = serving(
            tmp_path, ports[1], "jupyter_server", f"--ServerApp.port={ports[1]}", "--allow-root",
            f"--gateway-url={there}", "--IdentityProvider.token=", "--ServerApp.open_browser=False",
            "--ServerApp.disable_check_xsrf=True",
        )  # fmt: skip
        with server as here:
            notebook = Notebook(here)
            shown = notebook.run(INSPECT)
            errors = [m["content"] for m in shown if m["header"]["msg_type"] == "error"]
            assert errors == []
            (opened,) = [
                m["content"]["data"]["state"]
                for m in shown
                if m["header"]["msg_type"] == "comm_open" and "_page" in str(m["content"])
            ]
            assert opened["_page"]["tables"][0]["key"] == "0:0:content"
            said = notebook.run("print(6 * 7)")
            assert "42\n" in [m["content"].get("text") for m in said]
            notebook.link.close()
