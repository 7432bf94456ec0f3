"""What may be attached to a request: data, with its source. Larger is refused before sending.

The table is open: a server that takes more is given more with, say,
``LIMITS["images"] = msgspec.structs.replace(LIMITS["images"], most_bytes=100 * MB)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

MB = 1024 * 1024
Kind = Literal["images", "audio_in", "files"]


class Limit(Struct, frozen=True, kw_only=True):
    """What one kind of attachment may be.

    - `noun`: what it is called in a sentence; `part`: the type of its content part
    - `takes`: MIME type -> the format's name, in the API where it has one
    - `most_bytes` of one, `most_bytes_a_request` of all; `most_a_request`: how many, None: any
    - `source`: where that is written
    """

    noun: str
    part: str
    takes: Mapping[str, str]
    most_bytes: int
    most_bytes_a_request: int
    most_a_request: int | None = None
    source: str

    @property
    def formats(self) -> str:
        """The formats in words: "png, jpeg, webp or gif"."""
        *others, last = self.takes.values()
        return f"{', '.join(others)} or {last}" if others else last


LIMITS: dict[Kind, Limit] = {
    "images": Limit(
        noun="image",
        part="image_url",
        takes={
            "image/png": "png",
            "image/jpeg": "jpeg",
            "image/webp": "webp",
            "image/gif": "gif",
        },
        most_bytes=20 * MB,
        most_bytes_a_request=50 * MB,
        most_a_request=500,
        source="OpenAI, guide Images and vision, image input requirements",
    ),
    "audio_in": Limit(
        noun="recording",
        part="input_audio",
        takes={"audio/wav": "wav", "audio/mpeg": "mp3"},
        most_bytes=25 * MB,
        most_bytes_a_request=25 * MB,
        source=(
            "formats: Chat Completions reference, input_audio; size: OpenAI's 25 MB for recordings "
            "(guide Speech to text); Azure's audio completions take 20 MB"
        ),
    ),
    "files": Limit(
        noun="file",
        part="file",
        takes={"application/pdf": "pdf"},
        most_bytes=50 * MB,
        most_bytes_a_request=50 * MB,
        source="OpenAI, guide File inputs: 50 MB, and Chat Completions takes PDF alone",
    ),
}
