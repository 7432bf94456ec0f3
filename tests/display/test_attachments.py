from __future__ import annotations

import base64
import io
import re
import sys
from typing import Any

import pytest
from PIL import Image

from nbchat import media
from nbchat.api.encoded import decoded
from nbchat.api.response import Choice, Completion, ResponseMessage
from nbchat.display import attachments
from nbchat.display.attachments import MOST_BYTES, attached_bundle
from nbchat.display.live import LiveReply
from nbchat.display.pace import Painter
from nbchat.display.publisher import Publisher
from nbchat.display.run_bundle import mimebundle
from nbchat.display.terminal import PlainReply
from nbchat.run import Run
from tests.display.fakes import Cell, run_of
from tests.media.made import MP3, PDF, picture, samples

LARGE = picture(size=(600, 400))


def shown(*parts: dict[str, Any]) -> dict[str, str]:
    bundle = attached_bundle([{"role": "user", "content": list(parts)}])
    assert bundle is not None
    return bundle


def sources(html: str) -> list[str]:
    return re.findall(r'src="([^"]*)"', html)


def test_a_small_picture_is_its_own_thumbnail() -> None:
    (source,) = sources(shown(media.image(picture()))["text/html"])
    assert decoded(source) == picture()


@pytest.mark.long
@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGB"), ("PNG", "RGBA"), ("JPEG", "RGB")])
def test_of_a_large_picture_a_small_one_is_made(kind: str, mode: str) -> None:
    large = picture(kind, (1600, 900), mode)
    assert len(large) > 500_000
    bundle = shown(media.image(large, detail="low"))
    (source,) = sources(bundle["text/html"])
    with Image.open(io.BytesIO(decoded(source))) as small:
        assert small.width <= 384
        assert small.height <= 192
        is_clear = small.convert("RGBA").getextrema()[3][0] < 255
        assert is_clear == (mode == "RGBA")
    assert len(bundle["text/html"]) < 130_000
    assert re.fullmatch(
        rf"\[image · image/{kind.lower()} · 1600 × 900 · [\d.]+ [kM]B · detail low\]",
        bundle["text/plain"],
    )


def test_without_pillow_a_large_picture_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = picture()
    assert len(LARGE) > MOST_BYTES
    monkeypatch.setattr(attachments.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setattr(attachments, "_thumbnails", {})
    large, small = shown(media.image(LARGE)), shown(media.image(tiny))
    assert "<img" not in large["text/html"]
    assert large["text/plain"] == "[image · image/png · 704 kB]"
    assert sources(small["text/html"])


def test_what_is_no_picture_is_a_line_all_the_same() -> None:
    broken = "data:image/png;base64," + base64.b64encode(picture()[:40] + b"x" * 20_000).decode()
    for url in (broken, "data:image/png;base64,$$$", "data:image/svg+xml,<svg onload=alert(1)>"):
        bundle = shown({"type": "image_url", "image_url": {"url": url}})
        assert "<img" not in bundle["text/html"]
        assert "<svg" not in bundle["text/html"]


def test_a_remote_picture_is_a_link_and_never_fetched() -> None:
    html = shown(media.image("https://example.org/a.png?x=<b>"))["text/html"]
    assert not sources(html)
    assert 'href="https://example.org/a.png?x=&lt;b&gt;"' in html
    for url in ("javascript:alert(1)", "ftp://example.org/a.png"):
        html = shown({"type": "image_url", "image_url": {"url": url}})["text/html"]
        assert "href" not in html


def test_recordings_and_files_are_lines_with_name_type_and_size() -> None:
    bundle = shown(media.audio(MP3), media.file(PDF), media.file("file-1"))
    assert bundle["text/plain"].splitlines() == [
        "[recording · audio/mpeg · 427 bytes]",
        "[file.pdf · application/pdf · 77 bytes]",
        "[file-1 · file on the server]",
    ]


def test_names_cannot_act() -> None:
    named = media.Named(picture(), '"><script>x</script>')
    html = shown(media.attach("", images=named)["content"][0])["text/html"]
    assert "<script" not in html


def test_only_what_was_asked_last_is_shown() -> None:
    first, second = media.image(picture()), media.image("https://example.org/b.png")
    messages = [
        {"role": "user", "content": [first]},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": [second]},
    ]
    bundle = attached_bundle(messages)
    assert bundle is not None
    assert "b.png" in bundle["text/html"]
    assert not sources(bundle["text/html"])
    assert attached_bundle([{"role": "user", "content": "Hi"}]) is None
    assert attached_bundle([*messages, {"role": "user", "content": "Hi"}]) is not None


def test_hundreds_of_pictures_do_not_fill_the_notebook() -> None:
    bundle = shown(*(media.image(picture(size=(n, 9))) for n in range(1, 101)))
    assert len(sources(bundle["text/html"])) == 20
    assert len(bundle["text/plain"].splitlines()) == 100


def spoken_run(data: bytes = samples(), **facts: Any) -> Run:
    sound = {"id": "a", "data": base64.b64encode(data).decode(), "transcript": "Good day."}
    message = ResponseMessage(audio=sound | facts)
    part = media.image(picture())
    return Run.from_completion(
        Completion(model="m", choices=[Choice(0, message, "stop")]),
        messages=[{"role": "user", "content": [part]}],
    )


def live(cell: Cell, *, owns_cell: bool, run: Run) -> list[dict[str, str]]:
    painter = Painter(cell.clock, has_thread=False)
    reply = LiveReply(
        Publisher(cell),
        owns_cell=owns_cell,
        painter=painter,
        sleep=cell.clock.sleep,
        above=attached_bundle(run.messages),
    )
    with reply:
        reply.update(run)
        painter.step()
        painter.step()
        reply.finish(run)
    return cell.outputs


@pytest.mark.parametrize("owns_cell", [True, False])
def test_a_cell_has_what_was_sent_the_transcript_a_player_and_the_facts(owns_cell: bool) -> None:
    sent, said, player, facts = live(Cell(), owns_cell=owns_cell, run=spoken_run())
    assert sources(sent["text/html"])
    assert said["text/markdown"] == "Good day."
    assert sources(player["text/html"])[0].startswith("data:audio/wav;base64,")
    assert "0:00.1 of sound" in player["text/plain"]
    assert "m" in facts["text/plain"]
    assert "empty reply" not in facts["text/plain"]


@pytest.mark.parametrize("owns_cell", [True, False])
def test_a_sound_without_transcript_is_no_empty_reply(owns_cell: bool) -> None:
    run = spoken_run(transcript=None)
    _, player, facts = live(Cell(), owns_cell=owns_cell, run=run)
    assert "<audio" in player["text/html"]
    assert "empty reply" not in facts["text/plain"]


@pytest.mark.parametrize("owns_cell", [True, False])
def test_what_was_sent_stands_above_while_nothing_has_come(owns_cell: bool) -> None:
    cell = Cell()
    above = attached_bundle(spoken_run().messages)
    with LiveReply(Publisher(cell), owns_cell=owns_cell, above=above):
        assert [bool(sources(output["text/html"])) for output in cell.outputs] == [True]


def test_a_run_shows_them_once_in_what_front_ends_prefer() -> None:
    bundle = mimebundle(spoken_run())
    assert len(sources(bundle["text/html"])) == 2
    assert not sources(bundle["text/markdown"])
    assert "Good day." in bundle["text/markdown"]
    assert "of sound" in bundle["text/markdown"]
    assert bundle["text/plain"].startswith("[image · image/png · 8 × 6 ·")
    assert "text/html" not in mimebundle(run_of("Hi", status="complete"))


def test_a_terminal_has_them_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    run = spoken_run()
    with PlainReply(above=attached_bundle(run.messages)) as reply:
        reply.finish(run)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("[image · image/png")
    assert "Good day." in lines
    assert any("run.audio.save()" in line for line in lines)
