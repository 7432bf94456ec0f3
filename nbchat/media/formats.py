"""What bytes are, told by the bytes themselves: names of files say anything."""

from __future__ import annotations

from collections.abc import Mapping

# MIME type -> what must stand at which place; the first that fits
_SIGNATURES: tuple[tuple[str, tuple[tuple[int, bytes], ...]], ...] = (
    ("image/png", ((0, b"\x89PNG\r\n\x1a\n"),)),
    ("image/jpeg", ((0, b"\xff\xd8\xff"),)),
    ("image/gif", ((0, b"GIF87a"),)),
    ("image/gif", ((0, b"GIF89a"),)),
    ("image/webp", ((0, b"RIFF"), (8, b"WEBP"))),
    ("image/bmp", ((0, b"BM"), (6, b"\0\0\0\0"))),
    ("image/tiff", ((0, b"II*\0"),)),
    ("image/tiff", ((0, b"MM\0*"),)),
    ("image/avif", ((4, b"ftypavif"),)),
    ("image/heic", ((4, b"ftyphei"),)),
    ("image/heic", ((4, b"ftypmif1"),)),
    ("audio/wav", ((0, b"RIFF"), (8, b"WAVE"))),
    ("audio/mpeg", ((0, b"ID3"),)),
    ("audio/ogg", ((0, b"OggS"),)),
    ("audio/flac", ((0, b"fLaC"),)),
    ("audio/mp4", ((4, b"ftypM4A"),)),
    ("video/mp4", ((4, b"ftyp"),)),
    ("video/webm", ((0, b"\x1aE\xdf\xa3"),)),
    ("application/pdf", ((0, b"%PDF-"),)),
    ("application/zip", ((0, b"PK\x03\x04"),)),
    ("application/gzip", ((0, b"\x1f\x8b"),)),
)
#: MIME type -> how a file of it is named
SUFFIXES: Mapping[str, str] = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "audio/wav": ".wav",
    "audio/mpeg": ".mp3",
    "audio/aac": ".aac",
    "audio/ogg": ".ogg",
    "audio/flac": ".flac",
    "application/pdf": ".pdf",
}
_LOOKED_AT = 1024


def mime_of(data: bytes) -> str:
    """Give the MIME type of bytes; "" where it is not known here.

    Signatures as in the WHATWG's MIME Sniffing Standard; an MPEG frame by its sync word, layer
    III for MP3 and no layer for AAC.
    """
    head = bytes(data[:_LOOKED_AT])
    for mime, parts in _SIGNATURES:
        if all(head.startswith(part, place) for place, part in parts):
            return mime
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        by_bits = {0b01: "audio/mpeg", 0b00: "audio/aac"}.get(head[1] >> 1 & 0b11)
        if by_bits is not None:
            return by_bits
    return _text_type(head)


def _text_type(head: bytes) -> str:
    if b"\0" in head:
        return ""
    try:
        # the cut may go through a character
        text = head.decode("utf-8", "strict" if len(head) < _LOOKED_AT else "ignore")
    except UnicodeDecodeError:
        return ""
    start = text.lstrip().lower()
    if start.startswith("<svg") or (start.startswith("<?xml") and "<svg" in start):
        return "image/svg+xml"
    return "text/html" if start.startswith(("<!doctype html", "<html")) else "text/plain"
