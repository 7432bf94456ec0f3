"""A notebook of ten cells with a bit of everything, to be recorded and replayed, and its server."""

# mypy: allow-untyped-calls
# (nbformat has no types)

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import nbformat

from tests.scripted import MODEL, Reply, Request, ScriptedServer, chunk, logprob_entry, sse
from tests.wire import usage_of

#: what a replay says of itself: the time of day, its cost, and that it is one
_OF_THE_REPLAY = re.compile(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\Z|\$0|replayed")
#: what a front end or papermill sets: where to ask, and how to replay
PARAMETERS = 'server = ""\nreplay = "off"'

BEGIN = """
%load_ext nbchat
import socket, threading, _thread
import nbchat
nbchat.configure(profile=server, cassette="study.jsonl", replay=replay)
if replay == "only":
    def refuse(*_, **__):
        raise AssertionError("the network was used")
    socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
"""

INTERRUPTED = """
run = None
if replay == "off":
    try:
        for piece in nbchat.stream("Tell a long story.", model="m"):
            if len(piece.run.text) > 20:
                _thread.interrupt_main()
    except KeyboardInterrupt:
        run = piece.run
story = nbchat.chat("Tell a long story.", model="m")
print(story.status, story.text)
"""

TOOL = """
def weather(city: str) -> str:
    assert replay != "only"
    return f"sunny in {city}"
"""

CHART = """
from matplotlib.figure import Figure
chart = Figure(figsize=(1, 1))
_ = chart.add_subplot().plot([1, 3])
"""

ANALYSIS = """
print(colour.tokens()[["token", "logprob", "rank"]])
print(nbchat.runs([colour, coat, again, seen])[["text", "status", "thread", "turn"]])
print(coat.rounds[0].calls[0].result, coat.usage.total_tokens)
nbchat.plots.surprisal(colour)
"""

CELLS = [
    BEGIN,
    TOOL,
    "%%chat --temperature 1 --logprobs --top-logprobs 2 -o colour\nName a colour.",
    "[nbchat.chat('Name a colour.', temperature=1, model='m').text for _ in range(5)]",
    "nbchat.repeat('Name a colour.', times=6, at_once=6, temperature=1, model='m')",
    "%%chat --tools weather -o coat\nDo I need a coat in Ulm?",
    "%%chat -o again\nWhat did you say?",
    CHART,
    "%%chat --stateless --image chart -o seen\nWhat is in this picture?",
    INTERRUPTED,
    ANALYSIS,
]


def notebook() -> nbformat.NotebookNode:
    made = nbformat.v4.new_notebook(
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"},
            "language_info": {"name": "python"},
        }
    )
    parameters = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    made.cells = [parameters, *(nbformat.v4.new_code_cell(cell.strip()) for cell in CELLS)]
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number}"
    return made


def server() -> ScriptedServer:
    """A server whose colours are never twice the same."""
    colours = map("colour {}".format, itertools.count())

    def answer(request: Request) -> Reply:
        last = request.body["messages"][-1]
        parts = (
            last["content"] if isinstance(last["content"], list) else [{"text": last["content"]}]
        )
        text = next(part["text"] for part in parts if "text" in part)
        if "coat" in text and last["role"] == "user":
            function = {"name": "weather", "arguments": json.dumps({"city": "Ulm"})}
            call = {"index": 0, "id": "call_1", "type": "function", "function": function}
            calls = chunk(delta={"role": "assistant", "tool_calls": [call]})
            return Reply(sse(calls, chunk(finish_reason="tool_calls"), chunk(usage=usage_of(9, 3))))
        said = next(colours) if "colour" in text else f"{text} It is so. " * 8
        return Reply(sse(*pieces(said), chunk(finish_reason="stop"), chunk(usage=usage_of(9, 5))))

    return ScriptedServer(default=answer)


def pieces(text: str) -> list[dict[str, Any]]:
    return [
        chunk(part, logprobs=[logprob_entry(part, -0.5, [(part, -0.5), ("x", -1.5)])])
        for part in re.findall(r"\S+\s*", text)
    ]


def shown(made: nbformat.NotebookNode) -> list[list[Any]]:
    """What the cells show, but for what a replay says of itself: that it is one, id and cost."""
    found = []
    for cell in made.cells:
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", []):
            found.append([plain(output) for output in cell.outputs])
    return found


def plain(output: Any) -> Any:
    if output.output_type == "stream":
        return output.name, output.text
    if output.output_type == "error":
        return output.ename, output.evalue
    data = dict(output.data)
    text, html = (
        re.sub(r"\[?[0-9a-f]{12,24}\S*", "ID", data.pop(kind, ""))
        for kind in ("text/plain", "text/html")
    )
    grey = html.startswith('<div class="mathjax_ignore"')
    facts = [part for part in text.split(" · ") if not _OF_THE_REPLAY.match(part)]
    return sorted(data.items()), facts, "" if grey else html


__all__ = ["MODEL", "notebook", "server", "shown"]
