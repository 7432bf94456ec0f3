"""What the panels' pages and the kernel tell one another: every message, declared once.

A struct is a message or a part of one; its tag is the message's name, under ``do`` or ``on``
(explorer) and ``type`` (inspector). `Protocol` says who sends what, and each question which
messages answer it. A field with the default UNSET may be left out. `Any` is JSON of the user's,
bytes are a stretch of little-endian numbers. What the scripts are checked with is made of this
(``.ci/protocol.py``), and the tests hold each message that Python sends or takes against it.
"""

from nbchat.widgets.explorer_messages import EXPLORER
from nbchat.widgets.inspector_messages import INSPECTOR
from nbchat.widgets.records import Protocol, Question, Record
from nbchat.widgets.sweep_inspector_messages import SWEEP_INSPECTOR

__all__ = ["EXPLORER", "INSPECTOR", "SWEEP_INSPECTOR", "Protocol", "Question", "Record"]
