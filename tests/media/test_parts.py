from __future__ import annotations

import io
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typing_extensions
from IPython.display import Image as ShownImage
from matplotlib.figure import Figure
from openai.types import chat as openai_chat
from openai.types.chat import chat_completion_content_part_param as openai_parts
from PIL import Image
from typing_extensions import get_type_hints

from nbchat import media
from nbchat.api import check_messages
from nbchat.api.encoded import Encoded, decoded
from nbchat.errors import CheckError
from nbchat.media.formats import mime_of
from nbchat.media.limits import LIMITS
from tests.media.made import MP3, PDF, picture, wav


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is what a TypedDict of the openai package says."""
    origin = typing.get_origin(hint)
    if typing_extensions.is_typeddict(hint):
        hints = get_type_hints(hint)
        required = hint.__required_keys__
        return (
            isinstance(value, dict)
            and required <= value.keys() <= hints.keys()
            and all(fits(entry, hints[name]) for name, entry in value.items())
        )
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    return isinstance(value, hint)


@pytest.mark.parametrize(
    ("part", "theirs"),
    [
        (media.image(picture()), openai_chat.ChatCompletionContentPartImageParam),
        (media.image(picture(), detail="low"), openai_chat.ChatCompletionContentPartImageParam),
        (
            media.image("https://example.org/a.png", detail="original"),
            openai_chat.ChatCompletionContentPartImageParam,
        ),
        (media.audio(wav()), openai_chat.ChatCompletionContentPartInputAudioParam),
        (media.audio(MP3), openai_chat.ChatCompletionContentPartInputAudioParam),
        (media.file(PDF), openai_parts.File),
        (media.file("file-abc123"), openai_parts.File),
    ],
)
def test_parts_are_those_of_the_openai_package(part: dict[str, Any], theirs: Any) -> None:
    assert fits(part, theirs)
    assert check_messages([{"role": "user", "content": [part]}])[0]["content"] == [part]
    assert not fits({**part, "type": "text"}, theirs)
    assert not fits({**part, "more": 1}, theirs)


def test_the_formats_are_those_that_the_openai_package_names() -> None:
    hints = get_type_hints(openai_chat.ChatCompletionContentPartInputAudioParam)
    kinds = typing.get_args(get_type_hints(hints["input_audio"])["format"])
    assert {*kinds} == {*LIMITS["audio_in"].takes.values()}


@pytest.mark.parametrize(
    ("kind", "mime"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/gif"), ("WEBP", "image/webp")],
)
def test_a_picture_is_known_by_its_bytes_and_not_by_its_name(
    tmp_path: Path, kind: str, mime: str
) -> None:
    path = tmp_path / "wrong.txt"
    path.write_bytes(picture(kind))
    for value in (path, str(path), picture(kind), bytearray(picture(kind))):
        url = media.image(value)["image_url"]["url"]
        assert url.startswith(f"data:{mime};base64,")
        assert decoded(url) == picture(kind)


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"\xff\xf3\x90\x00", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (b"OggS", "audio/ogg"),
        (b"fLaC", "audio/flac"),
        (b"BM\0\0\0\0\0\0\0\0", "image/bmp"),
        (b"\0\0\0\x18ftypheic", "image/heic"),
        (b"\0\0\0\x18ftypisom", "video/mp4"),
        (b"PK\x03\x04", "application/zip"),
        (b"  <svg xmlns", "image/svg+xml"),
        ("Grüße".encode() * 400, "text/plain"),
        (b"\0\1\2\3", ""),
        (b"", "text/plain"),
    ],
)
def test_formats_that_are_not_taken_have_a_name_all_the_same(head: bytes, mime: str) -> None:
    assert mime_of(head) == mime


def test_pictures_of_libraries_are_drawn() -> None:
    figure = Figure(figsize=(1, 1))
    axes = figure.add_subplot()
    axes.plot([1, 2])
    photo = Image.open(io.BytesIO(picture("JPEG")))
    print_ = Image.new("CMYK", (4, 4))
    for value in (figure, axes, photo, print_, ShownImage(data=picture()), io.BytesIO(picture())):
        url = media.image(value)["image_url"]["url"]
        assert mime_of(decoded(url)) in LIMITS["images"].takes, type(value)
    with Image.open(io.BytesIO(decoded(media.image(photo)["image_url"]["url"]))) as sent:
        assert sent.size == photo.size


def test_no_library_is_imported_to_find_out_what_a_value_is() -> None:
    code = """
import sys
from nbchat import media
media.image(bytes.fromhex("89504e470d0a1a0a"))
try:
    media.image(object())
except ValueError:
    pass
print({"PIL", "matplotlib", "numpy", "IPython"} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_an_address_goes_out_as_it_is() -> None:
    url = "https://example.org/a%20b.png?x=1#y"
    assert media.image(url) == {"type": "image_url", "image_url": {"url": url}}
    given = media.image(picture())["image_url"]["url"]
    odd = "data:image/jpg" + str(given)[len("data:image/png") :]
    assert media.image(odd)["image_url"]["url"] == odd


def test_a_file_goes_out_as_a_data_uri_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(PDF)
    sent = media.file(path)["file"]
    assert sent["filename"] == "report.pdf"
    assert sent["file_data"].startswith("data:application/pdf;base64,")
    assert decoded(sent["file_data"]) == PDF
    assert media.file(PDF)["file"]["filename"] == "file.pdf"


def test_everything_stands_behind_the_text_in_order() -> None:
    message = media.attach(
        "What is this?",
        images=["https://example.org/a.png", picture()],
        detail="high",
        audio_in=MP3,
        files="file-1",
    )
    assert message["role"] == "user"
    kinds = [part["type"] for part in message["content"]]
    assert kinds == ["text", "image_url", "image_url", "input_audio", "file"]
    assert [p["image_url"]["detail"] for p in message["content"][1:3]] == ["high", "high"]
    assert media.attach("Hi") == "Hi"


def test_messages_by_hand_get_them_at_the_end_and_stay_as_they_were() -> None:
    own = {"type": "text", "text": "Look:"}
    before = [{"role": "system", "content": "Brief."}, {"role": "user", "content": [own]}]
    after = media.attach(before, images="https://example.org/a.png")
    assert after[0] is before[0]
    assert [part["type"] for part in after[1]["content"]] == ["text", "image_url"]
    assert before[1]["content"] == [own]
    with pytest.raises(CheckError, match="last message"):
        media.attach([{"role": "assistant", "content": "x"}], images="https://example.org/a.png")


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"images": "nowhere.png"}, "images names nowhere.png: there is no such file."),
    ({"images": ["https://a.b/c.png", "/"]}, "images[1] names /: that is a folder."),
    ({"images": "/dev/zero"}, "images names /dev/zero: that is a device or a pipe, and no file."),
    ({"images": b""}, "images (image) is empty: there is no image in it."),
    ({"images": PDF}, "must be png, jpeg, webp or gif; files takes it."),
    ({"images": b"\0\1"}, "images (image) is in no format that is known here"),
    ({"images": 5}, "images is a int: it must be a path, a URL, bytes, a PIL image or a"),
    ({"images": "ftp://a.b/c.png"}, "a web address begins with http:// or https://."),
    ({"images": "data:image/png,abc"}, "what follows ;base64, must be base64."),
    ({"images": "data:image/png;base64,a$b"}, "what follows ;base64, must be base64."),
    ({"images": "https://a.b/c.png", "detail": "hi"}, "one of auto, low, high, original"),
    ({"audio_in": b"OggS"}, "audio_in (recording) is audio/ogg: an attached recording must be wav"),
    ({"audio_in": "https://a.b/c.wav"}, "the API takes no addresses of recordings"),
    ({"files": b"a,b\n1,2"}, "must be pdf; text goes into the prompt."),
    ({"files": picture()}, "must be pdf; images takes it."),
    ({"detail": "low"}, "give images"),
]


@pytest.mark.parametrize(("given", "sentence"), REFUSED)
def test_what_cannot_be_sent_gets_one_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CheckError) as caught:
        media.attach("Hi", **given)
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_library_that_fails_is_named() -> None:
    class Broken:
        def savefig(self, *_: object, **__: object) -> None:
            raise RuntimeError("no backend")

    with pytest.raises(CheckError, match="is a Broken that gives no image: RuntimeError: no back"):
        media.image(Broken())


def test_a_file_too_large_is_refused_without_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(21 * 1024 * 1024)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))
    with pytest.raises(CheckError, match=r"\(huge.png\) has 21 MB: an attached image may have 20"):
        media.image(path)


def test_all_of_a_request_together_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [media.image(picture(size=(n, 9))) for n in (8, 9, 10)]
    messages = [{"role": "user", "content": [part]} for part in parts]
    media.check_totals(messages)
    limit = msgspec.structs.replace(LIMITS["images"], most_a_request=2)
    monkeypatch.setitem(LIMITS, "images", limit)
    with pytest.raises(CheckError, match="are 3, and a request may have 2"):
        media.check_totals(messages)
    limit = msgspec.structs.replace(limit, most_a_request=None, most_bytes_a_request=300)
    monkeypatch.setitem(LIMITS, "images", limit)
    with pytest.raises(CheckError, match=r"whole conversation have .* may have 300 bytes"):
        media.check_totals(messages)


def test_every_limit_says_where_it_is_written() -> None:
    assert all(limit.source and limit.takes for limit in LIMITS.values())


def test_the_same_bytes_are_held_once() -> None:
    one, other = (media.image(picture(size=(64, 64)))["image_url"]["url"] for _ in range(2))
    assert isinstance(one, Encoded)
    assert one is other


def test_a_variable_that_is_a_list_is_all_of_its_values() -> None:
    named = media.Named([picture(), MP3], "xs", "--image")
    with pytest.raises(CheckError, match=r"^--image \(xs\[1\]\) is audio/mpeg"):
        media.attach("Hi", images=[named])
