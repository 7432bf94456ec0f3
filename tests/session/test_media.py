"""Pictures and sound through a real server: what goes out, what is kept, what comes back."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

import nbchat
from nbchat import session
from nbchat.api.encoded import Encoded, decoded
from nbchat.errors import CheckError, StreamCutError
from nbchat.session import Thread
from tests.media.made import MP3, PDF, picture, samples, wav
from tests.scripted import CUT, Reply, ScriptedServer, chunk, completion, speaking, sse

DATA = Path(__file__).parents[1] / "data"
SPOKEN: dict[str, Any] = {
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "pcm16"},
}
AS_MP3 = SPOKEN | {"audio": {"voice": "alloy", "format": "mp3"}}
LATER = 4_102_444_800


@pytest.fixture(autouse=True)
def no_retries(server: ScriptedServer) -> None:
    session.settings.max_retries = 0


def spoken(**facts: Any) -> dict[str, Any]:
    """A whole answer in mp3."""
    sound = {"id": "audio_9", "expires_at": LATER, "transcript": "Good day."} | facts
    data = base64.b64encode(MP3).decode()
    return completion(None, message={"audio": {"data": data} | sound})


def said(server: ScriptedServer) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = server.requests[-1].body["messages"]
    return messages


def test_what_is_attached_goes_out_behind_the_prompt(server: ScriptedServer) -> None:
    nbchat.chat("What?", images=picture(), detail="low", audio_in=wav(), files=PDF)
    (message,) = said(server)
    kinds = [part["type"] for part in message["content"]]
    assert kinds == ["text", "image_url", "input_audio", "file"]
    assert decoded(message["content"][1]["image_url"]["url"]) == picture()
    assert base64.b64decode(message["content"][2]["input_audio"]["data"]) == wav()
    assert message["content"][2]["input_audio"]["format"] == "wav"
    assert set(server.requests[0].body) == {"messages", "stream", "stream_options"}


def test_a_recording_can_be_the_whole_question(server: ScriptedServer) -> None:
    nbchat.chat(audio_in=MP3)
    assert [part["type"] for part in said(server)[0]["content"]] == ["input_audio"]


def test_streams_threads_and_repeats_take_them_too(server: ScriptedServer) -> None:
    assert "".join(nbchat.stream("What?", images=picture())).startswith("Hello")
    Thread("t").ask("What?", images=[picture()], system="Brief.")
    nbchat.repeat("What?", times=2, images=picture(), model="m")
    for request in server.requests:
        assert request.body["messages"][-1]["content"][1]["type"] == "image_url"


def test_messages_with_parts_by_hand_pass_as_they_are(server: ScriptedServer) -> None:
    url = "data:image/png;base64," + base64.b64encode(picture()).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What?"}]
    nbchat.chat(messages=[{"role": "user", "content": content}])
    assert said(server) == [{"role": "user", "content": content}]


def test_a_wrong_picture_sends_nothing(server: ScriptedServer) -> None:
    for call in (nbchat.chat, nbchat.stream, nbchat.repeat):
        with pytest.raises(CheckError, match="no such file"):
            call("What?", images="nowhere.png")
    assert not server.requests
    assert not session.runs


def pictures_in(value: Any) -> list[Encoded]:
    if isinstance(value, Encoded):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for entry in inner for found in pictures_in(entry)]


def test_the_bytes_are_held_once_in_a_long_conversation(server: ScriptedServer) -> None:
    thread = Thread("t")
    for _ in range(5):
        thread.ask("What?", images=picture(size=(300, 200)))
    held = [found for run in session.runs for found in pictures_in(run.messages)]
    assert len(held) == 1 + 2 + 3 + 4 + 5
    assert len({id(found) for found in held}) == 1


def test_frames_and_reprs_have_no_base64_in_them(server: ScriptedServer) -> None:
    thread = Thread("t")
    server.reply(spoken())
    run = thread.ask("What?", images=picture(size=(300, 200)), **AS_MP3)
    texts = [
        nbchat.runs().to_csv(),
        nbchat.choices(run).to_csv(),
        *map(repr, (run, run.messages, run.completion, run.message, run.audio)),
        *map(repr, (thread, thread.turns, thread.messages)),
    ]
    assert all(len(text) < 8_000 for text in texts)
    assert not any(base64.b64encode(MP3).decode()[40:80] in text for text in texts)


def test_the_transcript_streams_as_text_and_the_sound_is_whole(server: ScriptedServer) -> None:
    server.reply((DATA / "openai_audio.sse").read_bytes())
    pieces = list(nbchat.stream("Hi", **SPOKEN))
    assert pieces == ["Good", " day."]
    run = pieces[0].run
    assert run.text == "Good day."
    assert run.message.content is None
    assert run.audio is not None
    assert run.audio.data == samples(0.01)
    assert (run.audio.format, run.audio.transcript, run.audio.id, run.audio.expires_at) == (
        "pcm16", "Good day.", "audio_sample", LATER,
    )  # fmt: skip
    assert server.requests[0].body["audio"] == SPOKEN["audio"]
    assert server.requests[0].body["stream"] is True
    assert nbchat.runs(run)["text"].tolist() == ["Good day."]


def test_what_no_stream_carries_comes_whole_and_says_so(server: ScriptedServer) -> None:
    server.reply(spoken())
    run = nbchat.chat("Hi", **AS_MP3)
    assert not {"stream", "stream_options"} & server.requests[0].body.keys()
    assert run.audio is not None
    assert (run.audio.data, run.audio.wav, run.text) == (MP3, MP3, "Good day.")
    assert "came whole: no stream carries mp3" in run.notes


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"stream": True}, "stream is true, but it cannot stand beside audio that is not pcm16"),
        ({"stream_options": {"include_usage": True}}, "needs a stream, which mp3 cannot be"),
    ],
)
def test_a_stream_of_another_format_is_refused_before_sending(
    server: ScriptedServer, fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CheckError, match=sentence):
        nbchat.chat("Hi", **AS_MP3, **fields)
    assert not server.requests


def test_a_server_that_streams_it_all_the_same_can_be_asked(server: ScriptedServer) -> None:
    server.reply((DATA / "dashscope_audio.sse").read_bytes())
    audio = {"voice": "Cherry", "format": "wav"}
    run = nbchat.chat("Hi", modalities=["text", "audio"], extra={"audio": audio})
    assert server.requests[0].body["stream"] is True
    assert server.requests[0].body["audio"] == audio
    assert run.audio is not None
    assert run.audio.data == samples(0.01)
    assert run.audio.mime == "audio/wav"


def test_an_interrupted_reply_keeps_the_sound_so_far(server: ScriptedServer) -> None:
    half = sse(
        chunk(delta={"audio": {"id": "audio_1", "transcript": "Goo"}}),
        chunk(delta={"audio": {"data": base64.b64encode(samples()).decode()[:-5]}}),
        done=False,
    )
    server.reply(Reply([half, CUT]))
    with pytest.raises(StreamCutError) as caught:
        nbchat.chat("Hi", thread="t", **SPOKEN)
    run = caught.value.run
    assert run is not None
    assert run.audio is not None
    assert samples().startswith(run.audio.data)
    assert len(run.audio.data) > 2_000
    # a sound that was cut off may be unknown to the server: its transcript goes on
    assert Thread("t").messages[-1] == {"role": "assistant", "content": "Goo"}


def test_a_run_without_sound_has_none(server: ScriptedServer) -> None:
    run = nbchat.chat("Hi")
    assert run.audio is None
    assert nbchat.Run(messages=[], params=nbchat.ChatParams()).audio is None


def test_the_next_request_names_the_sound_by_its_id(server: ScriptedServer) -> None:
    thread = Thread("t")
    server.reply(spoken())
    thread.ask("Hi", **AS_MP3)
    thread.ask("And?", **AS_MP3)
    assert said(server)[1] == {"role": "assistant", "audio": {"id": "audio_9"}}


@pytest.mark.parametrize(
    ("facts", "fields"),
    [({"expires_at": 1_761_000_000}, {}), ({"id": None}, {}), ({}, {"model": "another"})],
)
def test_who_no_longer_knows_the_sound_is_given_the_transcript(
    server: ScriptedServer, facts: dict[str, Any], fields: dict[str, Any]
) -> None:
    thread = Thread("t")
    server.reply(spoken(**facts))
    thread.ask("Hi", **AS_MP3)
    thread.ask("And?", **fields)
    assert said(server)[1] == {"role": "assistant", "content": "Good day."}


def test_another_server_is_given_the_transcript(server: ScriptedServer) -> None:
    thread = Thread("t")
    server.reply(spoken())
    thread.ask("Hi", **AS_MP3)
    with ScriptedServer(speaking("Yes.")) as other:
        thread.ask("And?", profile=other.url)
        assert said(other)[1] == {"role": "assistant", "content": "Good day."}


def test_a_sound_that_came_can_be_sent_again(server: ScriptedServer) -> None:
    server.reply((DATA / "openai_audio.sse").read_bytes())
    run = nbchat.chat("Hi", **SPOKEN)
    nbchat.chat("What was said?", audio_in=run.audio)
    sent = said(server)[0]["content"][1]["input_audio"]
    assert run.audio is not None
    assert base64.b64decode(sent["data"]) == run.audio.wav
    json.dumps(run.messages)


@pytest.mark.local
def test_the_embedded_model_is_not_sent_pictures(weights: Path, local_server: Any) -> None:
    with pytest.raises(CheckError, match="reads text alone, and there is image_url"):
        nbchat.chat("What?", images=picture(), profile="local")
    run = nbchat.chat("Hi", profile="local", max_completion_tokens=3, **SPOKEN)
    assert "this small model has no voice" in run.notes
    assert run.audio is None
