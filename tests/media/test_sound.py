from __future__ import annotations

import base64
import io
import time
import wave
from pathlib import Path

import pytest

from nbchat.api import check
from nbchat.api.response import ResponseMessage
from nbchat.media import Audio, sound_of
from nbchat.media.sound import MOST_PLAYED, pcm_as_wav
from tests.media.made import MP3, samples, wav


def audio(data: bytes, kind: str = "pcm16", **facts: object) -> Audio:
    return Audio(base64.b64encode(data).decode(), format=kind, **facts)  # type: ignore[arg-type]


def test_pcm16_becomes_a_wav_that_others_can_read() -> None:
    sound = audio(samples(0.5))
    with wave.open(io.BytesIO(sound.wav)) as read:
        assert (read.getframerate(), read.getnchannels(), read.getsampwidth()) == (24_000, 1, 2)
        assert read.readframes(read.getnframes()) == samples(0.5)
    assert sound.data == samples(0.5)
    assert sound.duration_s == pytest.approx(0.5)


def test_half_a_sample_at_the_end_is_left_out() -> None:
    assert audio(samples() + b"\x01").wav == audio(samples()).wav


@pytest.mark.parametrize(
    ("data", "kind", "mime"),
    [
        (MP3, "mp3", "audio/mpeg"),
        (b"OggS" + bytes(40), "opus", "audio/ogg"),
        (b"fLaC" + bytes(40), "flac", "audio/flac"),
        (b"\xff\xf1\x50\x80" + bytes(40), "aac", "audio/aac"),
        (wav(), "wav", "audio/wav"),
        (samples(), "wav", "audio/wav"),  # streamed without its header
        (samples(), "pcm16", "audio/wav"),
        (b"\0" * 40, "something", ""),
    ],
)
def test_a_sound_is_known_by_its_bytes(data: bytes, kind: str, mime: str) -> None:
    assert audio(data, kind).mime == mime
    assert (f'src="data:{mime};base64,' in audio(data, kind).player) == bool(mime)


def test_a_wav_whose_header_does_not_know_its_length_gets_one() -> None:
    endless = wav()[:4] + b"\xff" * 4 + wav()[8:40] + b"\xff" * 4 + wav()[44:]
    assert audio(endless, "wav").wav == wav()
    assert audio(wav()[:-100], "wav").wav == pcm_as_wav(samples()[:-100])
    assert audio(wav(), "wav").wav == wav()


@pytest.mark.parametrize(
    ("name", "kind", "data", "written"),
    [
        ("x.wav", "pcm16", samples(), wav()),
        ("x.pcm", "pcm16", samples(), samples()),
        ("x.mp3", "mp3", MP3, MP3),
        ("x", "mp3", MP3, MP3),
        (None, "mp3", MP3, MP3),
    ],
)
def test_it_is_saved_as_its_name_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None, kind: str, data: bytes,
    written: bytes,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    path = audio(data, kind, id="audio_1/../2").save(name)
    assert path.read_bytes() == written
    assert [p.name for p in tmp_path.iterdir()] == [name or "audio_1____2.mp3"]


def test_what_it_is_not_it_is_not_saved_as(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"this sound is mp3: save it as x\.mp3"):
        audio(MP3, "mp3").save(tmp_path / "x.wav")
    assert not list(tmp_path.iterdir())


def test_a_large_sound_stays_out_of_the_notebook_and_says_how_to_hear_it() -> None:
    small, large = audio(samples(1)), audio(bytes(MOST_PLAYED))
    assert "<audio controls" in small.player
    assert "up to 4 MB" in small.player
    assert "<audio" not in large.player
    assert len(large.player) < 400
    assert "run.audio.save()" in large.player
    assert large._repr_html_() == large.player


def test_what_the_server_says_cannot_act() -> None:
    sound = audio(b"\0" * 40, "x<script>", transcript='"><script>')
    assert "<script" not in sound.player + repr(audio(MP3, '"><b>')._repr_html_())


def test_reprs_are_short() -> None:
    assert len(repr(audio(samples(1), transcript="word " * 500))) < 150


@pytest.mark.parametrize(
    ("sent", "expected"),
    [(None, None), ({}, None), ({"id": "a", "transcript": "Hi"}, None), ({"data": 5}, None)],
)
def test_no_sound_is_none(sent: dict[str, object] | None, expected: None) -> None:
    assert sound_of(ResponseMessage(audio=sent), check({})) is expected


def test_a_sound_expires_when_the_server_says() -> None:
    def is_expired(**facts: object) -> bool:
        return audio(MP3, "mp3", **facts).is_expired

    assert is_expired(id="a", expires_at=int(time.time()) - 5)
    assert not is_expired(id="a", expires_at=int(time.time()) + 60)
    assert not is_expired(id="a")
    assert is_expired()
