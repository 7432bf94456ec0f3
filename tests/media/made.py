"""Small pictures, recordings and files, made here and not taken from anywhere."""

from __future__ import annotations

import io
import math
import random
import struct

from PIL import Image

from nbchat.media.sound import pcm_as_wav


def picture(kind: str = "PNG", size: tuple[int, int] = (8, 6), mode: str = "RGB") -> bytes:
    """A picture of noise, which no format makes much smaller."""
    pixels = random.Random(0).randbytes(size[0] * size[1] * len(mode))
    buffer = io.BytesIO()
    Image.frombytes(mode, size, pixels).save(buffer, format=kind)
    return buffer.getvalue()


def samples(seconds: float = 0.05, hertz: float = 440) -> bytes:
    """pcm16 at 24 kHz: a tone."""
    count = int(24_000 * seconds)
    wave = (math.sin(2 * math.pi * hertz * n / 24_000) for n in range(count))
    return b"".join(struct.pack("<h", round(20_000 * value)) for value in wave)


def wav(seconds: float = 0.05) -> bytes:
    return pcm_as_wav(samples(seconds))


MP3 = b"ID3\x04\0\0\0\0\0\0" + b"\xff\xfb\x90\x00" + b"\0" * 413
PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"
