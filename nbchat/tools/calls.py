"""The calls that a model asks for: their arguments checked, run side by side, and recorded."""

from __future__ import annotations

import contextvars
import inspect
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import msgspec

from nbchat.api.reply_messages import free_ids, input_text, kind_of, request_message
from nbchat.api.response import Completion, ResponseMessage, Usage
from nbchat.errors import short_traceback, type_and_sentence
from nbchat.tools.arguments import WrongArgumentsError
from nbchat.tools.function_schema import Tool
from nbchat.tools.result_text import encodable, result_text

Kind = Literal["function", "custom", "function_call"]
_SHOWN = 60


class Call(msgspec.Struct):
    """One call that a model asked for, and what came of it.

    - `arguments`: str, as the model wrote it (JSON; free text for a custom tool)
    - `result`: str, what the function gave, as the model gets it; None where it gave nothing
    - `error`: str, why there is no result; the model gets it as text
    - `elapsed_s`: seconds that the function took; None where it was not called
    - `where`: str, where in the user's code an exception was raised
    """

    id: str
    name: str
    arguments: str
    kind: Kind = "function"
    result: str | None = None
    error: str | None = None
    elapsed_s: float | None = None
    where: str = ""

    @property
    def is_open(self) -> bool:
        """Whether nothing has come of it yet."""
        return self.result is None and self.error is None

    @property
    def message(self) -> dict[str, Any]:
        """The message that tells the model what came of it."""
        content = f"Error: {self.error}" if self.result is None else self.result
        if self.kind == "function_call":
            return {"role": "function", "name": self.name, "content": content}
        return {"role": "tool", "tool_call_id": self.id, "content": content}


class Round(msgspec.Struct):
    """A reply that asked for calls, and what came of them.

    - `message`: dict, the reply as a message of the request; `calls`: list of `Call`
    - `completion`: the whole answer that asked, with its usage
    - `is_answered`: whether the results were sent to the model
    - `elapsed_s`: seconds from the first call to the last result
    """

    message: dict[str, Any]
    calls: list[Call]
    completion: Completion
    is_answered: bool = False
    elapsed_s: float | None = None

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The reply and the results, as messages of the next request."""
        return [self.message, *(call.message for call in self.calls)]

    @property
    def text(self) -> str:
        """What the model said beside its calls."""
        return self.message.get("content") or ""

    @property
    def usage(self) -> Usage | None:
        """The token counts of this round's request."""
        return self.completion.usage

    def __repr__(self) -> str:
        calls = (
            f"{call.name}({_short(call.arguments)}) → "
            f"{_short(call.result if call.error is None else f'error: {call.error}')}"
            for call in self.calls
        )
        return f"<Round: {', '.join(calls)}>"


def _short(text: str | None) -> str:
    line = "…" if text is None else " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def calls_of(message: ResponseMessage, taken: Collection[str] = ()) -> list[Call]:
    """Give the calls that a reply asks for; whatever its finish reason is.

    An id that is missing, or `taken` by another call of the conversation, is made up: the
    results need them.
    """
    ids = free_ids([str(call.get("id") or "") for call in message.tool_calls], taken)
    calls = [_call(call, name) for call, name in zip(message.tool_calls, ids, strict=True)]
    if message.function_call and not calls:
        body = message.function_call
        arguments = input_text(body.get("arguments"))
        calls = [Call("", str(body.get("name") or ""), arguments, "function_call")]
    return calls


def _call(call: Mapping[str, Any], call_id: str) -> Call:
    kind: Kind = "custom" if kind_of(call) == "custom" else "function"
    body = call.get(kind) or {}
    arguments = body.get("input" if kind == "custom" else "arguments")
    return Call(call_id, str(body.get("name") or ""), input_text(arguments), kind)


def round_of(completion: Completion, taken: Collection[str] = ()) -> Round:
    """Begin a round: of a completion whose first choice asks for calls.

    `taken` are the ids of the calls that the conversation has already.
    """
    message = min(completion.choices, key=lambda choice: choice.index).message
    calls = calls_of(message, taken)
    ids = [call.id for call in calls] if message.tool_calls else None
    return Round(request_message(message, ids=ids), calls, completion)


def run_calls(
    calls: Sequence[Call],
    tools: Mapping[str, Tool],
    *,
    on_change: Callable[[], object] = lambda: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Run the open calls side by side, each in a thread; one alone runs in this thread.

    What comes of each is written into it. `on_change` is told of each that ends. Exceptions
    and wrong arguments become the call's `error`. On an interrupt, or once `is_cancelled`
    says so, calls that have not ended are left behind with an error that says so; an
    interrupt is raised again.
    """
    ready = [(call, job) for call in calls if call.is_open and (job := _job(call, tools))]
    try:
        if len(ready) == 1:
            call, job = ready[0]
            _take(call, _outcome(job))
            on_change()
        elif ready:
            _side_by_side(ready, on_change, is_cancelled)
    finally:
        stop(calls, "It was interrupted.")
        on_change()


def stop(calls: Sequence[Call], reason: str) -> None:
    """Close the calls that are still open."""
    for call in calls:
        if call.is_open:
            call.error = reason


class _Outcome(msgspec.Struct):
    result: str | None
    error: str | None
    elapsed_s: float
    where: str = ""


def _take(call: Call, outcome: _Outcome) -> None:
    call.elapsed_s, call.where = outcome.elapsed_s, outcome.where
    call.result, call.error = outcome.result, outcome.error


def _side_by_side(
    ready: list[tuple[Call, Callable[[], Any]]],
    on_change: Callable[[], object],
    is_cancelled: Callable[[], bool],
) -> None:
    done: queue.SimpleQueue[tuple[Call, _Outcome]] = queue.SimpleQueue()
    is_over = threading.Event()

    def work(call: Call, job: Callable[[], Any]) -> None:
        if is_over.is_set():  # it was being started when the interrupt came
            return
        try:
            outcome = _outcome(job)
        except KeyboardInterrupt:  # of the tool's own making: the user's reaches only the main one
            outcome = _Outcome(None, "KeyboardInterrupt", 0.0)
        done.put((call, outcome))

    threads = []
    n_open = len(ready)
    try:  # an interrupt can come while they are started
        for call, job in ready:
            # a copy of the context for each: what a tool prints goes to the cell that asked
            context = contextvars.copy_context()
            thread = threading.Thread(
                target=context.run, args=(work, call, job), name=f"nbchat-{call.name}", daemon=True
            )
            threads.append(thread)
            thread.start()
        while n_open and not is_cancelled():
            try:
                call, outcome = done.get(timeout=0.1)
            except queue.Empty:
                continue
            _take(call, outcome)
            n_open -= 1
            on_change()
    finally:
        is_over.set()
        for thread in threads:
            _interrupt(thread)


def _interrupt(thread: threading.Thread) -> None:
    """End a thread at its next step of Python."""
    import ctypes

    if thread.is_alive() and thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
        )


def _outcome(job: Callable[[], Any]) -> _Outcome:
    started = time.perf_counter()
    try:
        result, error, where = result_text(job()), None, ""
    except KeyboardInterrupt:
        raise
    except BaseException as raised:  # noqa: BLE001 - sys.exit() too: whatever it is, the model is told
        error = type_and_sentence(raised)
        result, where = None, "\n".join(short_traceback(raised)[:-1])
    return _Outcome(result, error and encodable(error), time.perf_counter() - started, where)


def _job(call: Call, tools: Mapping[str, Tool]) -> Callable[[], Any] | None:
    """Give what is to be done; None, with the call's error set, where it is not to be done."""
    tool = tools.get(call.name)
    if tool is None or tool.function is None:
        known = ", ".join(tools) or "none"
        call.error = f"There is no tool {call.name!r}. The tools are: {known}."
        return None
    if tool.takes is None:
        return partial(_called, tool.function, (call.arguments,), {})
    try:
        first, values = tool.takes.read(call.arguments)
    except WrongArgumentsError as error:
        call.error = f"{call.name} was not called, because its arguments are wrong: {error}."
        return None
    return partial(_called, tool.function, first, values)


def _called(function: Callable[..., Any], first: tuple[Any, ...], values: dict[str, Any]) -> Any:
    result = function(*first, **values)
    return _awaited(result) if inspect.isawaitable(result) else result


def _awaited(result: Awaitable[Any]) -> Any:
    import asyncio

    async def awaiting() -> Any:
        return await result

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(awaiting())
    # a notebook's own loop runs in this thread already: another thread gets another loop
    box: list[tuple[Any, BaseException | None]] = []

    def elsewhere() -> None:
        try:
            box.append((asyncio.run(awaiting()), None))
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            box.append((None, error))

    thread = threading.Thread(target=contextvars.copy_context().run, args=(elsewhere,), daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.1)
    finally:
        _interrupt(thread)
    value, error = box[0]
    if error is not None:
        raise error
    return value
