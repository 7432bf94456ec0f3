"""The inspector as one file: a page that works in any browser, without kernel and without network.

What the page's own scripts would be told by a kernel stands in it as data, compressed and in
base64, so that no token can be taken for a part of the page. It may load nothing: its own policy
says so.
"""

from __future__ import annotations

import base64
import json
import zlib
from html import escape
from string import Template
from typing import TYPE_CHECKING, Any

from nbchat.version import __version__
from nbchat.widgets.stand_in import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbchat.widgets.inspector.page_messages import Page

_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="$policy">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="nbchat $version">
<link rel="icon" href="data:,">
<title>$title</title>
<style>
body { margin: 16px auto; padding: 0 16px; max-width: 1500px; background: Canvas; }
$style
</style>
</head>
<body>
<main id="nbchat-page"></main>
<noscript>This page shows tokens by a script of its own, and scripts are switched off.</noscript>
<script type="text/plain" id="nbchat-data">$data</script>
<script type="module">
$script
</script>
</body>
</html>
""")


def standalone(page: Page, at: Sequence[Any], scripts: Sequence[str], styles: Sequence[str]) -> str:
    """Give the page as HTML. `at` is what is selected, the others are files of the package."""
    traits = {
        "_page": page.whole(has_all=True),
        "_at": list(at),
        "_work": {"busy": False, "sentence": ""},
        "_stand_in_id": "",
    }
    return _PAGE.substitute(
        policy=_POLICY,
        version=__version__,
        title=escape(f"Tokens: {', '.join(page.labels[:3])}"[:200]),
        style=joined(*styles),
        data=packed(traits),
        script=joined(*scripts),
    )


def packed(value: Any) -> str:
    """Give JSON with bytes in it as base64 of zlib: the JSON's size (uint32), the JSON, the bytes.

    In the JSON stands {at, size} for a stretch of the bytes.
    """
    stretches: list[bytes] = []
    size = 0

    def placed(data: Any) -> dict[str, int]:
        nonlocal size
        stretches.append(data)
        size += len(data)
        return {"at": size - len(data), "size": len(data)}

    text = json.dumps(value, default=placed, ensure_ascii=False, separators=(",", ":"))
    encoded = text.encode("utf-8", "replace")
    whole = b"".join([len(encoded).to_bytes(4, "little"), encoded, *stretches])
    return base64.b64encode(zlib.compress(whole, 9)).decode()
