"""The sound of a reply: put together, played in the notebook, saved."""

from __future__ import annotations

import base64
import html
import re
import struct
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbchat.api.encoded import size_text
from nbchat.media.formats import SUFFIXES, mime_of

if TYPE_CHECKING:
    import os

    from nbchat.api.params import ChatParams
    from nbchat.api.response import ResponseMessage

#: of pcm16, as the API sends it: samples a second, bytes of a sample; one channel, little endian
PCM_RATE, PCM_BYTES = 24_000, 2
#: a sound of more bytes is not put into the notebook, which it would make a third larger than
#: itself: 87 s of pcm16, over 4 minutes of MP3
MOST_PLAYED = 4 * 1024 * 1024
_MIMES = {"mp3": "audio/mpeg", "aac": "audio/aac", "opus": "audio/ogg", "flac": "audio/flac"}
_GREY = "color: #7f7f7f; font-size: 85%"
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


class Audio:
    """The sound of a reply. A notebook shows it as a player.

    - `data`: bytes, as the server sent them; `format`: str, as the request named it
    - `transcript`: str; `id`: str, the server's name for it, None where it gave none
    - `expires_at`: int, seconds since 1970, until when the server knows it by its `id`
    - `wav`: bytes that players take: the data; of pcm16 (24 kHz, mono, 16 bits, little
      endian), which has no header, a WAV
    """

    def __init__(
        self,
        text: str,
        *,
        format: str = "",  # noqa: A002 - the API's own name
        transcript: str = "",
        id: str | None = None,  # noqa: A002 - the API's own name
        expires_at: int | None = None,
    ):
        self.format = format
        self.transcript = transcript
        self.id = id
        self.expires_at = expires_at
        self._text = text

    @cached_property
    def data(self) -> bytes:
        """The bytes as the server sent them."""
        try:
            return base64.b64decode(self._text)
        except ValueError:
            return b""

    @property
    def mime(self) -> str:
        """The MIME type of `wav`, told by the bytes; "" where they are unknown."""
        mime = mime_of(self.data[:64])
        if mime.startswith("audio/"):
            return mime
        # a server that streams "wav" may leave the header out
        is_pcm = self.format in ("pcm16", "wav", "")
        return "audio/wav" if is_pcm else _MIMES.get(self.format, "")

    @cached_property
    def wav(self) -> bytes:
        """The bytes that players take."""
        if self.mime != "audio/wav":
            return self.data
        return _mended(self.data) if self.data.startswith(b"RIFF") else pcm_as_wav(self.data)

    @property
    def duration_s(self) -> float | None:
        """How long it plays, in seconds; None where only a decoder could tell."""
        if self.mime != "audio/wav":
            return None
        rate = int.from_bytes(self.wav[28:32], "little")
        place = _data_place(self.wav)
        return (len(self.wav) - place) / rate if rate and place else None

    @property
    def is_expired(self) -> bool:
        """Whether the server no longer knows it by its `id`."""
        return self.id is None or (self.expires_at is not None and self.expires_at <= time.time())

    def save(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the sound to a file, and give its path.

        Without a path it goes to the working folder, named by its `id`. pcm16 becomes a WAV,
        unless the name ends in .pcm or .raw: then the samples alone are written. Raise
        ValueError where the name promises another format: nothing is converted.
        """
        suffix = SUFFIXES.get(self.mime, "")
        if path is None:
            path = re.sub(r"[^\w-]", "_", self.id or "reply")[:100] + suffix
        target = Path(path).expanduser()
        named = target.suffix.lower()
        if named in (".pcm", ".raw") and not self.data.startswith(b"RIFF"):
            target.write_bytes(self.data)
            return target
        if named in SUFFIXES.values() and named != suffix and suffix:
            raise ValueError(f"this sound is {self._kind}: save it as {target.stem}{suffix}")
        target.write_bytes(self.wav)
        return target

    @property
    def facts(self) -> str:
        """What it is in words: length, format, size."""
        length = self.duration_s
        parts = [
            "" if length is None else f"{int(length // 60)}:{length % 60:04.1f} of sound",
            self._kind,
            size_text(len(self.wav)),
        ]
        return " · ".join(part for part in parts if part)

    @property
    def player(self) -> str:
        """A player as static HTML, with its facts below it; of a large sound the facts alone."""
        facts = f"{self.facts} · {self._note}"
        if not self._is_played:
            return f'<div style="{_GREY}">{html.escape(facts)}</div>'
        source = f"data:{self.mime};base64,{base64.b64encode(self.wav).decode()}"
        # what stands inside is shown where a page has taken the player away
        inside = 'There is no player here: run.audio.save("reply.wav") writes the sound to a file.'
        return (
            f'<audio controls preload="metadata" src="{source}">{html.escape(inside)}</audio>'
            f'<div style="{_GREY}">{html.escape(facts)}</div>'
        )

    @property
    def plain(self) -> str:
        """The same in words alone."""
        return f"{self.facts} · run.audio.save() writes it to a file"

    @property
    def _kind(self) -> str:
        suffix = SUFFIXES.get(self.mime, "").removeprefix(".")
        is_wrapped = self.format == "pcm16" and suffix == "wav"
        return "pcm16 as wav" if is_wrapped else suffix or self.format

    @property
    def _is_played(self) -> bool:
        return bool(self.mime) and len(self.wav) <= MOST_PLAYED

    @property
    def _note(self) -> str:
        if self._is_played:
            return f"saved with the notebook, as up to {size_text(MOST_PLAYED)} is"
        if not self.mime:
            return "in a format that is not known here: run.audio.save() writes it to a file"
        most = size_text(MOST_PLAYED)
        return (
            f"more than {most} is not saved with the notebook: run.audio.save() writes it to a "
            "file, IPython.display.Audio(run.audio.wav) plays it"
        )

    def _repr_html_(self) -> str:
        return self.player

    def __repr__(self) -> str:
        return f"<Audio {self.facts}: {self.transcript[:60]!r}>"


def sound_of(message: ResponseMessage, params: ChatParams) -> Audio | None:
    """Give the sound of a message, in the format that the request asked for; None without any."""
    sent = message.audio
    text = sent.get("data") if sent else None
    if not sent or not isinstance(text, str) or not text:
        return None
    audio: Any = {**params.given(), **params.extra}.get("audio")
    wanted = audio.get("format") if isinstance(audio, dict) else None
    name, expires_at, transcript = (sent.get(key) for key in ("id", "expires_at", "transcript"))
    return Audio(
        text,
        format=wanted if isinstance(wanted, str) else "",
        transcript=transcript if isinstance(transcript, str) else "",
        id=name if isinstance(name, str) else None,
        expires_at=int(expires_at) if isinstance(expires_at, (int, float)) else None,
    )


def pcm_as_wav(samples: bytes) -> bytes:
    """Put a WAV header before pcm16 samples; half a sample at the end is left out.

    Format: Multimedia Programming Interface and Data Specifications 1.0, "WAVE".
    """
    whole = samples[: len(samples) // PCM_BYTES * PCM_BYTES]
    rate = PCM_RATE * PCM_BYTES
    head = _HEADER.pack(
        b"RIFF", 36 + len(whole), b"WAVE",
        b"fmt ", 16, 1, 1, PCM_RATE, rate, PCM_BYTES, 8 * PCM_BYTES,
        b"data", len(whole),
    )  # fmt: skip
    return head + whole


def _mended(wav: bytes) -> bytes:
    """Give a WAV whose header says how long it is.

    One that was written while it was made has no length yet, and one that was cut off too much.
    """
    place = _data_place(wav)
    if not place or int.from_bytes(wav[place - 4 : place], "little") <= len(wav) - place:
        return wav
    riff, data = struct.pack("<I", len(wav) - 8), struct.pack("<I", len(wav) - place)
    return b"".join([wav[:4], riff, wav[8 : place - 4], data, wav[place:]])


def _data_place(wav: bytes) -> int:
    """Give where the samples of a WAV begin; 0 where there are none."""
    place = 12
    while place + 8 <= len(wav):
        size = int.from_bytes(wav[place + 4 : place + 8], "little")
        if wav[place : place + 4] == b"data":
            return place + 8
        place += 8 + size + size % 2
    return 0
