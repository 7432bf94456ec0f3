"""What a streamed reply sends to the notebook: bytes and messages, over a real kernel's sockets."""

from __future__ import annotations

import json
from itertools import accumulate

from tests.benchmarks.inputs import markdown_reply
from tests.benchmarks.measure import Line, megabytes
from tests.kernel import Execution, Kernel
from tests.scripted import ScriptedServer, speaking, split_tokens


def reply_in_notebook(tokens: int, rate: float) -> Execution:
    reply = markdown_reply(tokens)
    with ScriptedServer(default=speaking(reply, tokens_per_s=rate)) as server:
        env = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "none"}
        with Kernel(env=env) as kernel:
            kernel.run("%load_ext nbchat")
            done = kernel.execute("%%chat --model m -o run\nWrite.", timeout=tokens / rate + 60)
            assert done.status == "ok", done.text
            assert kernel.value("run.text") == repr(reply)
            assert reply in done.text
    return done


def sent_for_each_token(tokens: int) -> int:
    """The bytes of the way not taken: the whole text so far, as a message for each token."""
    pieces = split_tokens(markdown_reply(tokens))
    envelope = 600  # header, parent header, metadata, signature of one message
    lengths = accumulate(len(json.dumps(piece)) - 2 for piece in pieces)
    return sum(lengths) + envelope * tokens


def traffic(rate: float = 100) -> list[Line]:
    lines = []
    for tokens, most_bytes in ((4_000, 0.5e6), (10_000, 1.3e6)):
        done = reply_in_notebook(tokens, rate)
        what = f"notebook traffic of a {tokens:,}-token Markdown reply at {rate:g} tokens a second"
        lines.append(
            Line(
                f"{what}: bytes",
                {
                    "the reply": megabytes(len(markdown_reply(tokens).encode())),
                    "full text for each token": megabytes(sent_for_each_token(tokens)),
                    "nbchat": megabytes(done.bytes),
                },
                done.bytes / 1e6,
                most_bytes / 1e6,
                "nbchat, MB",
            )
        )
        if tokens == 4_000:
            lines.append(
                Line(
                    f"{what}: messages",
                    {
                        "full text for each token": f"{tokens:,}",
                        "nbchat": f"{len(done.messages):,}",
                    },
                    len(done.messages),
                    500,
                    "nbchat, messages",
                    [f"of which {len(done.display_messages):,} draw something"],
                )
            )
    return lines
