"""An option of nbchat's own is declared in one place, and every face has it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "nbchat"

DECLARATION = """
    note: Annotated[
        str | None,
        Option(
            takes="text",
            shown="TEXT",
            help="A remark that is kept with the run.",
            about="str, a remark that is kept with the run",
            is_kept=True,
            dtype="string",
        ),
    ] = None
"""

USE = """
import sys
sys.path.insert(0, sys.argv[1])
import inspect, nbchat
from nbchat import session
from nbchat.code import as_call, as_cell, read_cell
from nbchat.widgets.controls import controls
from nbchat.magics.usage import usage
from nbchat.session.sources import ReadyAnswer
from nbchat.client import read_stream
from nbchat.history.store import flush

assert nbchat.__file__.startswith(sys.argv[1])
draft = read_cell("%%chat --note 'as before' --profile http://127.0.0.1:1/v1\\nHi")
assert draft.note == "as before"
assert read_cell(as_cell(draft)) == draft
assert "note='as before'" in as_call(draft)
assert "note" in inspect.signature(nbchat.chat).parameters
assert "`note`: str, a remark" in nbchat.chat.__doc__
assert "--note TEXT" in usage()
assert "note" in {control["name"] for control in controls()}
body = b'data: {"choices": [{"index": 0, "delta": {"content": "Yes"}, "finish_reason": "stop"}]}'

class There:
    needs_server = False
    def open(self, order):
        return ReadyAnswer(read_stream([body + b"\\n\\ndata: [DONE]\\n\\n"]))

run = session.execute(session.prepare(draft), source=There())
assert run.text == "Yes"
assert run.options == {"note": "as before"}
assert nbchat.runs(run)["note"].tolist() == ["as before"]
assert flush(10)
assert nbchat.history.search()["note"].tolist() == ["as before"]
assert nbchat.code.draft_of(run).note == "as before"
assert nbchat.Run.from_dict(run.to_dict()).options == run.options
"""


@pytest.mark.long
def test_a_new_option_is_some_lines_in_one_file(tmp_path: Path) -> None:
    copy = tmp_path / "nbchat"
    shutil.copytree(PACKAGE, copy)
    options = copy / "options.py"
    text = options.read_text()
    last = text.index("\n\n@cache\ndef OPTIONS")
    options.write_text(text[:last].rstrip() + "\n" + DECLARATION + "\n" + text[last:])
    done = subprocess.run(
        [sys.executable, "-c", USE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={"NBCHAT_HISTORY": str(tmp_path / "runs.sqlite"), "PATH": "", "HOME": str(tmp_path)},
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-2000:]
