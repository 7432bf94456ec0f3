"""What a cell ends up with: iopub messages folded to outputs the way JupyterLab folds them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.kernel import Message

DRAWN = (
    "stream",
    "display_data",
    "update_display_data",
    "execute_result",
    "error",
    "clear_output",
)
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def final_outputs(messages: Iterable[Message], execution_id: str) -> list[dict[str, Any]]:
    """The outputs (nbformat, `transient` gone) of one execution after all these messages.

    `messages` are those of the whole kernel, in order: a display can be updated from another cell.
    """
    outputs: list[dict[str, Any]] = []
    places: dict[str, list[int]] = {}  # display id -> its indices in outputs
    clear_before_next = False
    for message in messages:
        is_own = message.parent_id == execution_id
        display_id = (message.content.get("transient") or {}).get("display_id")
        if message.type in {"update_display_data", "display_data"} and display_id in places:
            # JupyterLab takes a second display of one id for an update of the first, too
            for place in places[display_id]:
                outputs[place] |= {key: message.content[key] for key in ("data", "metadata")}
        if not is_own or message.type not in DRAWN or message.type == "update_display_data":
            continue
        if message.type == "clear_output":
            clear_before_next = message.content["wait"]
            if not clear_before_next:
                outputs, places = [], {}
            continue
        if clear_before_next:
            outputs, places, clear_before_next = [], {}, False
        _add(outputs, message)
        if display_id is not None:
            places.setdefault(display_id, []).append(len(outputs) - 1)
    return outputs


def _add(outputs: list[dict[str, Any]], message: Message) -> None:
    output = {"output_type": message.type} | message.content
    output.pop("transient", None)
    last = outputs[-1] if outputs else {}
    if message.type == "stream":
        if last.get("output_type") == "stream" and last["name"] == output["name"]:
            last["text"] = overwritten(last["text"] + output["text"])
            return
        output["text"] = overwritten(output["text"])
    outputs.append(output)


def overwritten(text: str) -> str:
    """Carriage returns and backspaces carried out, as a terminal does."""
    while "\b" in text:
        text = re.sub(r"[^\n]\x08|^\x08+|(?<=\n)\x08+", "", text)
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown + ("\r" if line.endswith("\r") else ""))
    return "\n".join(lines)


def text_of(outputs: Iterable[dict[str, Any]]) -> str:
    """The outputs as a reader sees them: Markdown before plain text, errors without colours."""
    parts = []
    for output in outputs:
        if output["output_type"] == "stream":
            parts.append(output["text"])
        elif output["output_type"] == "error":
            parts.append(ANSI.sub("", "\n".join(output["traceback"])))
        else:
            data = output["data"]
            parts.append(data.get("text/markdown") or data.get("text/plain") or "")
    return "\n".join(parts)
