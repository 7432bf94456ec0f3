"""``python -m nbchat.local download | serve | status``: the embedded model from a terminal."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import threading
from typing import TYPE_CHECKING

from nbchat import local
from nbchat.errors import NbchatError
from nbchat.local import weights
from nbchat.local.server import CONTEXT, MAX_TOKENS, SLOTS

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a folder's name may not be in its encoding
    try:
        if options.command == "download":
            path = local.download(
                options.url,
                sha256=options.sha256,
                force=options.force,
                progress=False if options.quiet else None,
            )
            if not options.quiet:
                _say(f"The weights are whole: {path}")
        elif options.command == "status":
            _say(repr(local.status()))
        else:
            _serve(options)
    except NbchatError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _serve(options: argparse.Namespace) -> None:
    server = local.serve(
        options.model,
        threads=options.threads,
        context=options.context,
        at_once=options.at_once,
        max_tokens=options.max_tokens,
    )
    # the key is not printed: a terminal's output is kept and shown around
    key = weights.models_dir().parent / f"serve-{server.pid}.key"
    key.touch(mode=0o600)
    try:
        key.write_text(server.key, encoding="utf-8")
        _say(f"{server.model} answers at {server.base_url}; its key is in {key}. Ctrl-C stops it.")
        threading.Event().wait()
    finally:
        with contextlib.suppress(OSError):
            key.unlink()
        local.stop()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m nbchat.local", description="The embedded model.")
    commands = parser.add_subparsers(dest="command", required=True)
    download = commands.add_parser("download", help="fetch and check the weights (98 MB, once)")
    download.add_argument("--url", help="another GGUF file: its address, or a path")
    download.add_argument("--sha256", help="the SHA-256 that this file must have")
    download.add_argument("--force", action="store_true", help="fetch them anew")
    download.add_argument("--quiet", action="store_true", help="print nothing unless it fails")
    commands.add_parser("status", help="say whether the weights are here")
    serve = commands.add_parser("serve", help="serve a model on 127.0.0.1 until Ctrl-C")
    serve.add_argument("model", nargs="?", help="a GGUF file (default: the embedded model)")
    serve.add_argument("--threads", type=int)
    serve.add_argument("--context", type=int, default=CONTEXT, help="tokens of one conversation")
    serve.add_argument("--at-once", type=int, default=SLOTS, help="requests answered at once")
    serve.add_argument("--max-tokens", type=int, default=MAX_TOKENS, help="where a reply stops")
    return parser


if __name__ == "__main__":
    sys.exit(main())
