"""``--image``, ``--audio-in`` and ``--file``: what they name, and what a dry run shows of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

import nbchat
from nbchat import session
from nbchat.api.encoded import decoded
from nbchat.code import as_call, draft_of
from nbchat.errors import CheckError, MagicUsageError
from nbchat.media.formats import mime_of
from tests.magics.conftest import Shell
from tests.magics.test_completion import offered
from tests.media.made import PDF, picture, wav
from tests.scripted import ScriptedServer

LARGE = picture(size=(300, 200))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "photo.jpg").write_bytes(picture("JPEG", (300, 200)))
    (tmp_path / "it's $HOME `x` \\n.png").write_bytes(LARGE)
    (tmp_path / "question.wav").write_bytes(wav())
    (tmp_path / "report.pdf").write_bytes(PDF)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sent(server: ScriptedServer) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = server.requests[-1].body["messages"][-1]["content"]
    return parts


def mimes(server: ScriptedServer) -> list[str]:
    return [mime_of(decoded(p["image_url"]["url"])) for p in sent(server) if "image_url" in p]


def test_paths_addresses_and_variables_go_out_in_order(
    shell: Shell, server: ScriptedServer, folder: Path
) -> None:
    shell.ip.user_ns |= {"fig": Figure(figsize=(1, 1)), "web": "https://example.org/a.png"}
    shell.ask(
        "%%chat --image photo.jpg --image fig --image web --image https://example.org/b.png "
        "--detail low --audio-in question.wav --file report.pdf --file file-1\nWhat?"
    )
    text, *pictures, recording, report, uploaded = sent(server)
    assert text == {"type": "text", "text": "What?"}
    assert [p["image_url"]["url"][:25] for p in pictures] == [
        "data:image/jpeg;base64,/9",
        "data:image/png;base64,iVB",
        "https://example.org/a.png",
        "https://example.org/b.png",
    ]
    assert {p["image_url"]["detail"] for p in pictures} == {"low"}
    assert recording["input_audio"]["format"] == "wav"
    assert report["file"]["filename"] == "report.pdf"
    assert uploaded["file"] == {"file_id": "file-1"}


def test_lists_paths_and_bytes_in_variables_and_templates(
    shell: Shell, server: ScriptedServer, folder: Path
) -> None:
    class Holder:
        picture = LARGE

    shell.ip.user_ns |= {
        "many": [LARGE, Path("photo.jpg")],
        "holder": Holder(),
        "name": "photo",
        "odd": "it's $HOME `x` \\n.png",
    }
    shell.ask("%%chat --image many --image holder.picture --image {{ name }}.jpg --image odd\nX")
    assert mimes(server) == ["image/png", "image/jpeg", "image/png", "image/jpeg", "image/png"]


def test_a_name_with_a_dot_is_a_file_unless_the_variable_has_such_an_attribute(
    shell: Shell, server: ScriptedServer, folder: Path
) -> None:
    shell.ip.user_ns["photo"] = "something else"
    shell.ask("%%chat --image photo.jpg\nX")
    assert mimes(server) == ["image/jpeg"]


def test_a_recording_can_be_the_whole_cell(
    shell: Shell, server: ScriptedServer, folder: Path
) -> None:
    shell.ask("%chat --audio-in question.wav")
    assert [part["type"] for part in sent(server)] == ["input_audio"]


@pytest.mark.parametrize(
    ("line", "kind", "sentence"),
    [
        ("--image phot", MagicUsageError, "Did you mean photo?"),
        ("--image no.png", MagicUsageError, "--image no.png: there is no such file, and no var"),
        ("--image no/no.png", MagicUsageError, "--image no/no.png: there is no such file."),
        ("--image", MagicUsageError, "a path or the name of a variable"),
        ("--image report.pdf", CheckError, "--image (report.pdf) is application/pdf"),
        ("--audio-in photo.jpg", CheckError, "--audio-in (photo.jpg) is image/jpeg"),
        ("--file numbers", CheckError, "--file is a dict: it must be a path, bytes or the id"),
        ("--image photo.jpg --detail max", CheckError, "one of auto, low, high, original"),
        ("--detail low", CheckError, "give images"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_and_nothing_is_sent(
    shell: Shell, server: ScriptedServer, folder: Path, line: str, kind: type, sentence: str
) -> None:
    shell.ip.user_ns |= {"photo": 1, "numbers": {}}
    error = shell.error(f"%%chat {line}\nX")
    assert isinstance(error, kind)
    assert sentence in str(error)
    assert not server.requests


def test_what_was_sent_stands_small_above_the_reply(
    shell: Shell, server: ScriptedServer, folder: Path
) -> None:
    shell.ask("%%chat --image photo.jpg --file report.pdf\nX")
    above, reply, _ = shell.cell.outputs
    assert above["text/plain"].startswith("[photo.jpg · image/jpeg · 300 × 200 · ")
    assert "report.pdf · application/pdf" in above["text/plain"]
    assert above["text/html"].count("<img") == 1
    assert len(above["text/html"]) < 60_000
    assert reply["text/markdown"].startswith("Hello")


def dry_run(shell: Shell, line: str) -> str:
    shell.ask(f"%%chat --dry-run --stateless {line}\nIt's `x` $HOME \\n")
    return shell.cell.outputs[0]["text/plain"]


def test_a_dry_run_shows_the_beginning_and_what_is_left_out(
    shell: Shell, server: ScriptedServer, folder: Path
) -> None:
    text = dry_run(shell, "--image photo.jpg")
    assert not server.requests
    body = json.JSONDecoder().raw_decode(text, text.index("{"))[0]
    url = body["messages"][0]["content"][1]["image_url"]["url"]
    assert url.startswith("data:image/jpeg;base64,/9j/")
    assert url.endswith("characters of base64 are left out of this display]")
    assert len(text) < 4_000


@pytest.mark.parametrize(
    "line",
    [
        "--image photo.jpg --detail low --file report.pdf --audio-in question.wav",
        '--image "it\'s $HOME `x` \\\\n.png" --image https://example.org/a.png --file file-1',
    ],
)
def test_curl_and_python_read_the_files_again(
    shell: Shell, server: ScriptedServer, folder: Path, line: str
) -> None:
    shell.ask(f"%%chat --stateless {line}\nIt's `x` $HOME \\n")
    wanted = server.requests[0].body
    text = dry_run(shell, line)
    assert "not to be used" not in text
    command = text[text.index("curl -N") : text.index("\n\nPython")]
    subprocess.run(["bash", "-c", command], check=True, capture_output=True, timeout=30)
    assert server.requests[1].body == wanted
    call = text[text.index("import nbchat") :]
    exec(call, {})
    assert server.requests[2].body == wanted
    assert "images=" in call
    assert "messages=" not in call


def test_python_names_the_variable_and_curl_says_what_it_lacks(
    shell: Shell, server: ScriptedServer, folder: Path
) -> None:
    shell.ip.user_ns["shot"] = LARGE
    shell.ask("%%chat --stateless --image shot\nIt's `x` $HOME \\n")
    text = dry_run(shell, "--image shot")
    assert "curl (not to be used as it stands: shot is shortened)" in text
    assert len(text) < 4_000
    exec(text[text.index("import nbchat") :], {"shot": LARGE})
    assert server.requests[1].body == server.requests[0].body


def test_parts_that_no_arguments_give_are_written_as_parts(
    shell: Shell, server: ScriptedServer, folder: Path
) -> None:
    parts = [nbchat.media.image("photo.jpg", detail="low"), nbchat.media.image("photo.jpg")]
    asked = [{"role": "user", "content": [*parts, {"type": "text", "text": "Which?"}]}]
    prepared = session.prepare(nbchat.Draft(messages=asked))
    call = as_call(draft_of(prepared))
    assert "nbchat.media.image('photo.jpg', detail='low')" in call
    exec(call, {})
    assert server.requests[0].body == prepared.body


def test_a_conversation_with_pictures_in_it_can_be_shown_too(
    shell: Shell, server: ScriptedServer, folder: Path
) -> None:
    nbchat.chat("What?", images=LARGE, thread=session.Thread("main"))
    shell.ask("%%chat --dry-run\nAnd now?")
    text = shell.cell.outputs[0]["text/plain"]
    assert "Python (not to be used as it stands: image is shortened)" in text
    assert len(text) < 6_000


def test_a_cell_that_is_run_again_holds_its_picture_once(
    shell: Shell, server: ScriptedServer, folder: Path
) -> None:
    for _ in range(3):
        shell.ask("%%chat --image photo.jpg\nX", "cell-1")
    urls = [run.messages[-1]["content"][1]["image_url"]["url"] for run in session.runs]
    assert len(urls) == 3
    assert len({id(url) for url in urls}) == 1


def test_a_spoken_reply_is_played_below_its_transcript(
    shell: Shell, server: ScriptedServer
) -> None:
    server.reply((Path(__file__).parents[1] / "data" / "openai_audio.sse").read_bytes())
    shell.ask(
        '%%chat --modalities text,audio --audio {"voice": "alloy", "format": "pcm16"} -o run\nHi'
    )
    said, player, _ = shell.cell.outputs
    assert said["text/markdown"] == "Good day."
    assert '<audio controls preload="metadata" src="data:audio/wav;base64,' in player["text/html"]
    assert shell["run"].audio.duration_s == pytest.approx(0.01)


def test_files_and_variables_are_offered(shell: Shell, folder: Path) -> None:
    shell.ip.user_ns["photograph"] = LARGE
    for flag in ("image", "audio-in", "file"):
        assert offered(shell, f"%%chat --{flag} pho") == ["photograph", "photo.jpg"]
    assert offered(shell, "%%chat --detail lo") == ["low"]
