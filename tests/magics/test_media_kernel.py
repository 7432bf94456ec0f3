"""Pictures and sound on a real IPython kernel: what a cell shows, and what an interrupt leaves."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.kernel import Execution, Kernel
from tests.media.made import PDF, picture, samples
from tests.scripted import HANG, Gate, Reply, ScriptedServer, chunk, speaking, sse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.kernel

SPOKEN = (
    '%%chat --stateless --modalities text,audio --audio {"voice": "alloy", "format": "pcm16"} '
    "-o run\nSpeak."
)
TONE = samples(0.2)


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with Kernel() as kernel:
        kernel.run("%load_ext nbchat")
        yield kernel


@pytest.fixture(autouse=True)
def kernel_asks(kernel: Kernel, server: ScriptedServer) -> None:
    kernel.run(f"%config NbChat.profile = {server.url!r}")


def piece(transcript: str = "", data: bytes = b"") -> dict[str, Any]:
    sound: dict[str, Any] = {"transcript": transcript} if transcript else {}
    if data:
        sound["data"] = base64.b64encode(data).decode()
    return chunk(delta={"audio": sound})


def sound_in(html: str) -> bytes:
    found = re.search(r'<audio controls[^>]* src="data:audio/wav;base64,([^"]+)"', html)
    assert found is not None
    return base64.b64decode(found[1])


def data_of(done: Execution) -> list[dict[str, str]]:
    return [o["data"] for o in done.final_outputs() if o["output_type"] == "display_data"]


def test_a_picture_stands_above_the_reply_while_it_comes_and_after(
    kernel: Kernel, server: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(picture("JPEG", (900, 600)))
    (tmp_path / "report.pdf").write_bytes(PDF)
    kernel.run(f"%cd -q {tmp_path}")
    gate = Gate()
    server.reply(Reply([gate, sse(chunk("A photo."), chunk(finish_reason="stop"))]))
    running = kernel.start(
        "%%chat --stateless --image photo.jpg --file report.pdf\nWhat is this?", "a"
    )
    running.wait_for(lambda e: "photo.jpg" in e.text)
    gate.open()
    above, reply, _ = data_of(running.wait())
    assert "<img" in above["text/html"]
    assert "report.pdf · application/pdf · 77 bytes" in above["text/html"]
    assert reply["text/markdown"] == "A photo."
    assert sum(message.size for message in running.display_messages) < 150_000


def test_in_a_cell_with_other_things_it_stands_above_too(
    kernel: Kernel, server: ScriptedServer
) -> None:
    server.reply(speaking("Yes."))
    done = kernel.execute(
        "import nbchat\nprint('before')\n"
        f"nbchat.chat('What?', images={picture()!r}, live=True, profile={server.url!r});"
    )
    above, reply, _ = data_of(done)
    assert "<img" in above["text/html"]
    assert reply["text/markdown"] == "Yes."


def test_the_transcript_comes_live_and_the_player_below_it(
    kernel: Kernel, server: ScriptedServer
) -> None:
    gate = Gate()
    steps = [
        sse(piece("Blue light "), piece("scatters."), piece(data=TONE), done=False),
        gate,
        *(sse(piece(data=TONE), done=False) for _ in range(299)),
        sse(chunk(finish_reason="stop")),
    ]
    server.reply(Reply(steps))
    running = kernel.start(SPOKEN, "b")
    running.wait_for(lambda e: "Blue light scatters." in e.text)
    gate.open()
    said, player, facts = data_of(running.wait())
    assert said["text/markdown"] == "Blue light scatters."
    assert sound_in(player["text/html"]).endswith(TONE)
    assert "1:00.0 of sound" in player["text/plain"]
    assert "empty reply" not in facts["text/plain"]
    # a minute of sound goes to the notebook once
    sizes = sum(message.size for message in running.display_messages)
    assert sizes < 1.05 * 4 / 3 * len(TONE) * 300


def test_an_interrupt_keeps_the_sound_that_has_come(kernel: Kernel, server: ScriptedServer) -> None:
    server.reply(Reply([sse(piece("Blue "), piece("light", TONE), done=False), HANG]))
    running = kernel.start(SPOKEN, "c")
    running.wait_for(lambda e: "Blue light" in e.text)
    kernel.interrupt()
    said, player, facts = data_of(running.wait())
    assert said["text/markdown"] == "Blue light"
    assert sound_in(player["text/html"]).endswith(TONE)
    assert "interrupted" in facts["text/plain"]
    assert kernel.value("run.audio.duration_s") == "0.2"


def test_saving_and_showing_it_later(
    kernel: Kernel, server: ScriptedServer, tmp_path: Path
) -> None:
    server.reply(Reply(sse(piece("Hi.", TONE), chunk(finish_reason="stop"))))
    kernel.run(SPOKEN)
    kernel.run(f"run.audio.save({str(tmp_path / 'x.wav')!r})")
    shown = kernel.execute("run.audio").final_outputs()[0]["data"]
    assert sound_in(shown["text/html"]) == (tmp_path / "x.wav").read_bytes()
    assert len(shown["text/plain"]) < 100
