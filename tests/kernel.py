"""A real IPython kernel, driven over its own sockets as a notebook drives it.

    with Kernel(env={"OPENAI_BASE_URL": server.url}) as kernel:
        done = kernel.execute("%load_ext nbchat")
        running = kernel.start("%%chat\nhello", cell_id="a")
        kernel.interrupt()
        running.wait().final_outputs()

The kernel inherits nothing that chooses a profile: the variables of `HERMETIC` are taken out, and
its IPython folder is empty and its own.
"""

from __future__ import annotations

import os
import queue
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from jupyter_client.manager import KernelManager

from tests.outputs import DRAWN, final_outputs, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jupyter_client.blocking.client import BlockingKernelClient

HERMETIC = ("OPENAI_", "AZURE_OPENAI_", "NBCHAT_")
TIMEOUT_S = 60.0
NEW_CELL = "of a cell that was not there before"


@dataclass(frozen=True, eq=False)
class Message:
    """One iopub message; `size` counts all its frames as they went over the socket, in bytes."""

    type: str
    content: dict[str, Any]
    metadata: dict[str, Any]
    parent_id: str
    size: int
    received_at: float  # time.perf_counter()


class KernelDiedError(Exception):
    pass


@dataclass(eq=False)
class Execution:
    """One cell that was run. `messages` grows while it runs; `wait()` ends with its reply."""

    kernel: Kernel
    code: str
    id: str
    answers: list[str]
    messages: list[Message] = field(default_factory=list)
    reply: dict[str, Any] | None = None
    prompts: list[str] = field(default_factory=list)  # of input() and getpass
    is_idle: threading.Event = field(default_factory=threading.Event)

    def wait(self, timeout: float = TIMEOUT_S) -> Self:
        self.kernel._finish(self, timeout)
        return self

    def wait_for(self, is_there: Callable[[Self], object], timeout: float = TIMEOUT_S) -> Self:
        """Wait until the condition holds for the messages so far; the cell goes on."""
        deadline = time.monotonic() + timeout
        while not is_there(self):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {timeout} s; the cell shows: {self.text!r}")
            self.kernel._check_alive()
            time.sleep(0.005)
        return self

    @property
    def status(self) -> str:
        """ "ok", "error" or "aborted"; "running" before the reply."""
        return "running" if self.reply is None else str(self.reply["status"])

    @property
    def display_messages(self) -> list[Message]:
        """The messages that draw or clear something in the cell's output area."""
        return [message for message in self.messages if message.type in DRAWN]

    @property
    def bytes(self) -> int:
        """Of all iopub messages of this cell, those of widgets included."""
        return sum(message.size for message in self.messages)

    def of_type(self, *types: str) -> list[Message]:
        return [message for message in self.messages if message.type in types]

    def final_outputs(self) -> list[dict[str, Any]]:
        return final_outputs(list(self.kernel.messages), self.id)

    @property
    def text(self) -> str:
        """What a reader sees in the cell in the end."""
        return text_of(self.final_outputs())

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The `ename`, `evalue` and `traceback` of each error shown."""
        return [message.content for message in self.of_type("error")]


class Kernel:
    def __init__(
        self, *, env: Mapping[str, str | None] | None = None, cwd: str | Path | None = None
    ) -> None:
        """env: added to this process's environment; None takes a variable out."""
        self._folder = tempfile.TemporaryDirectory(prefix="kernel-", ignore_cleanup_errors=True)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(HERMETIC)}
        self.env["NBCHAT_HISTORY"] = "off"  # no test writes into the tester's own
        self.env |= {"IPYTHONDIR": self._folder.name, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        for name, value in (env or {}).items():
            self.env.pop(name, None)
            if value is not None:
                self.env[name] = value
        self.messages: list[Message] = []
        self._executions: dict[str, Execution] = {}
        self._replies: dict[str, dict[str, Any]] = {}
        self._stop = threading.Event()
        self._manager = KernelManager(
            connection_file=str(Path(self._folder.name) / "kernel.json"), kernel_name="python3"
        )
        self._log = Path(self._folder.name) / "kernel.log"
        self._log_file = self._log.open("wb")  # open to the end: a restart hands it on
        self._manager.start_kernel(
            env=self.env,
            cwd=str(cwd or self._folder.name),
            stdout=self._log_file,
            stderr=self._log_file,
        )
        self._client: BlockingKernelClient = self._manager.client()
        self._client.start_channels(hb=False)
        try:
            self._client.wait_for_ready(timeout=TIMEOUT_S)
        except RuntimeError as error:
            said = self.log
            self.close()
            raise KernelDiedError(f"the kernel did not start:\n{said}") from error
        self._reader = threading.Thread(target=self._read_iopub, daemon=True, name="iopub")
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        pid: int = self._manager.provisioner.process.pid  # type: ignore[union-attr]
        return pid

    @property
    def log(self) -> str:
        """What the kernel's process wrote past the notebook: its own warnings, crashes."""
        return self._log.read_text(errors="replace")

    @property
    def is_alive(self) -> bool:
        return bool(self._manager.is_alive())

    def start(
        self,
        code: str,
        cell_id: str | None = NEW_CELL,
        *,
        answers: Sequence[str] = (),
        silent: bool = False,
    ) -> Execution:
        """Run a cell in the background. `cell_id` is sent as JupyterLab sends it, that of a new
        cell by default, and with None as what runs cells in a server does, not at all; `answers`
        are typed, one after the other, where the cell asks for input."""
        cell_id = f"cell-{uuid.uuid4().hex[:12]}" if cell_id == NEW_CELL else cell_id
        metadata = {} if cell_id is None else {"cellId": cell_id, "deletedCells": []}
        content = {
            "code": code,
            "silent": silent,
            "store_history": not silent,
            "user_expressions": {},
            "allow_stdin": bool(answers),
            "stop_on_error": True,
        }
        session = self._client.session
        message = session.msg("execute_request", content, metadata=metadata)
        execution = Execution(self, code, message["header"]["msg_id"], list(answers))
        self._executions[execution.id] = execution
        self._client.shell_channel.send(message)
        return execution

    def execute(
        self,
        code: str,
        cell_id: str | None = NEW_CELL,
        *,
        timeout: float = TIMEOUT_S,
        answers: Sequence[str] = (),
    ) -> Execution:
        """Run a cell to its end; a cell that fails is no error here (see `.errors`)."""
        return self.start(code, cell_id, answers=answers).wait(timeout)

    def run(self, code: str, *, timeout: float = TIMEOUT_S) -> str:
        """Run a cell that must not fail; its text."""
        execution = self.execute(code, timeout=timeout)
        if execution.status != "ok":
            raise AssertionError(f"the cell failed:\n{execution.text}")
        return execution.text

    def value(self, expression: str) -> str:
        """The repr of an expression in the kernel, past every display formatter."""
        return self.run(f"print(repr({expression}), end='')")

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def restart(self) -> None:
        """A fresh kernel behind the same sockets, as the notebook's restart button makes it."""
        self._manager.restart_kernel(now=True)
        self._ask(self._client.kernel_info)
        # what the new kernel publishes before its socket is heard again is lost
        heard = len(self.messages)
        deadline = time.monotonic() + TIMEOUT_S
        while len(self.messages) == heard and time.monotonic() < deadline:
            self._ask(self._client.kernel_info)
            time.sleep(0.1)

    def complete(self, code: str, pos: int | None = None) -> dict[str, Any]:
        """The complete_reply: `matches`, `cursor_start`, `cursor_end`, `metadata`."""
        return self._ask(lambda: self._client.complete(code, pos))

    def inspect(self, code: str, pos: int | None = None, detail: int = 0) -> dict[str, Any]:
        """The inspect_reply: `found`, `data`."""
        return self._ask(lambda: self._client.inspect(code, pos, detail))

    def close(self) -> None:
        self._stop.set()
        if hasattr(self, "_reader"):
            self._reader.join()
        self._client.stop_channels()
        if self._manager.has_kernel:
            self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()
        self._client.context.destroy(linger=0)
        self._log_file.close()
        self._folder.cleanup()

    def _read_iopub(self) -> None:
        channel = self._client.iopub_channel
        while not self._stop.is_set():
            if not channel.socket.poll(50):
                continue
            frames = channel.socket.recv_multipart()
            _, parts = channel.session.feed_identities(frames)
            whole = channel.session.deserialize(parts)
            message = Message(
                whole["msg_type"],
                whole["content"],
                whole["metadata"],
                whole["parent_header"].get("msg_id", ""),
                sum(map(len, frames)),
                time.perf_counter(),
            )
            self.messages.append(message)
            execution = self._executions.get(message.parent_id)
            if execution is not None:
                execution.messages.append(message)
                if message.type == "status" and message.content["execution_state"] == "idle":
                    execution.is_idle.set()

    def _check_alive(self) -> None:
        if not self._manager.is_alive():
            raise KernelDiedError(f"the kernel has died:\n{self.log}")

    def _finish(self, execution: Execution, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while execution.reply is None:
            execution.reply = self._shell_reply(execution.id)
            self._answer(execution)
            if time.monotonic() > deadline:
                shown = f"the cell still runs after {timeout} s:\n{execution.code}"
                raise TimeoutError(f"{shown}\nit shows:\n{execution.text}")
        if not execution.is_idle.wait(max(0.1, deadline - time.monotonic())):
            raise TimeoutError("the cell's idle status never came")

    def _shell_reply(self, request_id: str) -> dict[str, Any] | None:
        """This request's reply if it is there; the others are kept for those who wait for them."""
        if request_id not in self._replies:
            try:
                message = self._client.get_shell_msg(timeout=0.05)
            except queue.Empty:
                self._check_alive()
                return None
            self._replies[message["parent_header"]["msg_id"]] = message["content"]
        return self._replies.pop(request_id, None)

    def _answer(self, execution: Execution) -> None:
        while execution.answers and self._client.stdin_channel.msg_ready():
            execution.prompts.append(self._client.get_stdin_msg()["content"]["prompt"])
            self._client.input(execution.answers.pop(0))

    def _ask(self, send: Callable[[], str]) -> dict[str, Any]:
        request_id = send()
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            if (reply := self._shell_reply(request_id)) is not None:
                return reply
        raise TimeoutError(f"no reply within {TIMEOUT_S} s")
