"""Pictures and sound in a real JupyterLab: shown, playable, and still there without a kernel."""

# mypy: allow-untyped-calls
# (nbformat has no types)

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, get_args

import nbformat
import pytest
from matplotlib.figure import Figure

from nbchat.media.sound import MOST_PLAYED
from tests.browser.lab import Lab, Notebook, Theme
from tests.media.made import MP3, PDF, samples
from tests.scripted import Reply, ScriptedServer, chunk, completion, speaking, sse

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator

pytestmark = pytest.mark.browser

SPOKEN = (
    '%%chat --modalities text,audio --audio {"voice": "alloy", "format": "pcm16"} -o spoken\nSpeak.'
)


def speech(seconds: float) -> bytes:
    """A reply that is spoken, in pieces of a tenth of a second."""
    tone = samples(0.1)
    pieces = [base64.b64encode(tone).decode()] * round(10 * seconds)
    return sse(
        chunk(delta={"role": "assistant", "audio": {"id": "audio_1", "transcript": "Blue light "}}),
        chunk(delta={"audio": {"transcript": "scatters more."}}),
        *(chunk(delta={"audio": {"data": piece}}) for piece in pieces),
        chunk(finish_reason="stop"),
    )


def chart(folder: Path) -> None:
    figure = Figure(figsize=(9, 5), dpi=150)
    axes = figure.add_subplot()
    axes.plot([1, 3, 2, 5, 4], marker="o")
    axes.set_title("Sales")
    figure.savefig(folder / "sales.png")


def playing_s(player: Locator) -> float:
    """How long the browser finds the sound to be, in seconds."""
    seconds: float = player.evaluate(
        "p => new Promise(done => p.readyState ? done(p.duration)"
        " : p.addEventListener('loadedmetadata', () => done(p.duration)))"
    )
    return seconds


def has_pixels(picture: Locator) -> bool:
    answer: bool = picture.evaluate("p => p.decode().then(() => p.naturalWidth > 0)")
    return answer


def check(notebook: Notebook, seconds: float) -> None:
    assert has_pixels(notebook.cell(1).locator("img"))
    assert notebook.cell(1).locator("a[href='https://example.org/other.png']").count() == 1
    player = notebook.cell(2).locator("audio")
    assert playing_s(player) == pytest.approx(seconds, abs=0.05)
    assert "Blue light scatters more." in notebook.cell_text(2)


def test_a_thumbnail_and_a_player_stand_in_the_page_and_stay_there(lab: Lab) -> None:
    chart(lab.folder)
    (lab.folder / "report.pdf").write_bytes(PDF)
    name = "media.ipynb"
    asked = "--image sales.png --image https://example.org/other.png --file report.pdf"
    with ScriptedServer(speaking("Sales rise and fall."), Reply(speech(2))) as server:
        lab.write(
            name,
            [
                f"%load_ext nbchat\n%config NbChat.profile = {server.url!r}",
                f"%%chat {asked}\nWhat does this show?",
                SPOKEN,
                "spoken.audio",
                "spoken",
            ],
        )
        with lab.open(name, size=(1000, 1000)) as notebook:
            requests: list[str] = []
            notebook.page.on("request", lambda request: requests.append(request.url))
            notebook.run_all()
            notebook.wait_idle()
            check(notebook, 2)
            for cell in (3, 4):
                assert playing_s(notebook.cell(cell).locator("audio")) == pytest.approx(2, abs=0.05)
            assert not any("example.org" in url for url in requests)
            assert notebook.script_errors == []
            for theme in get_args(Theme):
                notebook.show(theme=theme)
                notebook.screenshot(f"media-{theme}-picture", cell=1)
                notebook.screenshot(f"media-{theme}-player", cell=2)
                notebook.screenshot(f"media-{theme}")
            saved = notebook.save()
    # as it was saved, but nobody's: a notebook from elsewhere, whose outputs are not trusted
    cells = [*saved.cells, nbformat.v4.new_markdown_cell("What makes it another notebook.")]
    copy = nbformat.v4.new_notebook(cells=cells, metadata=saved.metadata)
    nbformat.write(copy, lab.folder / f"copy-{name}")
    with lab.open(f"copy-{name}", theme="dark", size=(1000, 1000)) as notebook:
        assert notebook.cell(2).locator(".jp-mod-trusted").count() == 0
        check(notebook, 2)
        notebook.screenshot("media-copy")


def largest() -> Reply:
    data = base64.b64encode(MP3 + bytes(MOST_PLAYED - len(MP3))).decode()
    sound: dict[str, Any] = {"id": "audio_1", "data": data, "transcript": "Long."}
    return Reply.json(completion(None, message={"audio": sound}))


def test_the_largest_sound_that_is_kept_reaches_the_page(lab: Lab) -> None:
    with ScriptedServer(largest()) as server:
        lab.write(
            "largest.ipynb",
            [
                f"%load_ext nbchat\n%config NbChat.profile = {server.url!r}",
                SPOKEN.replace("pcm16", "mp3"),
            ],
        )
        with lab.open("largest.ipynb") as notebook:
            notebook.run_all()
            notebook.wait_idle()
            source = notebook.cell(1).locator("audio").get_attribute("src") or ""
            assert len(source) > MOST_PLAYED * 4 / 3
            assert "came whole: no stream carries mp3" in notebook.cell_text(1)
