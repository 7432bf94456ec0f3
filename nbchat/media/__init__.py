"""Pictures, sound and files: into a request as content parts, and the sound of a reply.

``image(value)``, ``audio(value)`` and ``file(value)`` give the parts for messages that are
written by hand; `LIMITS` says what is taken, how large, and where that is written.
"""

from nbchat.media.limits import LIMITS, Limit
from nbchat.media.parts import Named, attach, audio, check_totals, file, image
from nbchat.media.sound import Audio, sound_of

__all__ = [
    "LIMITS",
    "Audio",
    "Limit",
    "Named",
    "attach",
    "audio",
    "check_totals",
    "file",
    "image",
    "sound_of",
]
