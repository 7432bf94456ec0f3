"""A notebook's cell and a clock, without a kernel and without time."""

from __future__ import annotations

import json
from typing import Any

from nbchat.api.response import Choice, Completion, ResponseMessage, Usage
from nbchat.display.live import LiveReply
from nbchat.display.pace import Painter
from nbchat.display.publisher import Publisher
from nbchat.run import Run

ENVELOPE = 620  # bytes of a small message on ipykernel 7, without its content


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Cell:
    """Takes what display publishers send, and folds it as JupyterLab does."""

    is_publishing = False  # IPython's standard output asks its publisher

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.messages: list[tuple[float, str, dict[str, Any]]] = []
        self.outputs: list[dict[str, str]] = []
        self.cleared: list[dict[str, str]] = []  # what stood there when it was cleared
        self._ids: list[str] = []
        self._is_to_clear = False

    def publish(
        self,
        data: dict[str, str],
        metadata: dict[str, Any],
        *,
        transient: dict[str, str] | None = None,
        update: bool = False,
    ) -> None:
        display_id = (transient or {}).get("display_id", "")
        self.messages.append((self.clock.now, "update" if update else "display", data))
        if update:
            assert display_id in self._ids, "an update of a display that is not there"
            self.outputs[self._ids.index(display_id)] = data
            return
        if self._is_to_clear:
            self.outputs, self._ids, self._is_to_clear = [], [], False
        self.outputs.append(data)
        self._ids.append(display_id)

    def clear_output(self, wait: bool = False) -> None:
        assert wait
        self.messages.append((self.clock.now, "clear", {}))
        self.cleared = self.outputs
        self._is_to_clear = True

    @property
    def markdown(self) -> list[str]:
        return [data["text/markdown"] for data in self.outputs if "text/markdown" in data]

    @property
    def bytes(self) -> int:
        return sum(
            ENVELOPE + len(json.dumps(data, ensure_ascii=False).encode())
            for _, _, data in self.messages
        )

    def most_in_a_second(self) -> int:
        times = [time for time, _, _ in self.messages]
        return max(sum(start <= time < start + 1 for time in times) for start in times)


def run_of(*texts: str, status: str = "running", **facts: Any) -> Run:
    choices = [
        Choice(index, ResponseMessage(content=text), "stop") for index, text in enumerate(texts)
    ]
    usage = facts.pop("usage", Usage(prompt_tokens=36, completion_tokens=87, total_tokens=123))
    completion = Completion(model="smollm2-135m", choices=choices, usage=usage)
    run = Run.from_completion(completion, **facts)
    run.status = status  # type: ignore[assignment]
    run.created_at = None  # type: ignore[assignment]  # a line without the time of day
    return run


def grow(run: Run, text: str, choice: int = 0) -> None:
    assert run.completion is not None
    run.completion.choices[choice].message.content = text


def reply_in(cell: Cell, painter: Painter, *, owns_cell: bool = True) -> LiveReply:
    return LiveReply(Publisher(cell), owns_cell=owns_cell, painter=painter, sleep=cell.clock.sleep)


def play(
    streams: list[tuple[LiveReply, Run, list[str]]],
    painter: Painter,
    clock: Clock,
    tokens_per_s: float = 100,
) -> None:
    """Stream all the replies at once, painting as the painter's thread would, then end them."""
    texts = ["" for _ in streams]
    longest = max(len(tokens) for _, _, tokens in streams)
    for position in range(longest):
        due = position / tokens_per_s
        while clock.now < due:
            wait_s = painter.step()
            clock.now = min(due, clock.now + (due if wait_s is None else wait_s))
        for place, (reply, run, tokens) in enumerate(streams):
            if position < len(tokens):
                texts[place] += tokens[position]
                grow(run, texts[place])
                reply.update(run)
    for reply, run, _ in streams:
        run.status = "complete"
        reply.finish(run)
