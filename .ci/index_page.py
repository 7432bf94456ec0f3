"""The README as an index can show it: what leads into the repository is made absolute, or plain.

The build asks for it (`tool.hatch.metadata.hooks` in pyproject.toml). Relative links and pictures
lead nowhere on the page of an index: they begin at the address that ``project.urls`` has as
`Source`; as long as there is none, a link is its own text and a picture is left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

try:
    from hatchling.metadata.plugin.interface import MetadataHookInterface
except ImportError:  # the tests read this file where nothing is built
    MetadataHookInterface = object

_PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
_TAG = re.compile(r"<(img|source)\b[^>]*?\b(?:src|srcset)=\"([^\"]+)\"[^>]*>")
_ELSEWHERE = re.compile(r"[a-z]+:|#|//")


class IndexPage(MetadataHookInterface):
    def update(self, metadata: dict[str, Any]) -> None:
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        source = metadata.get("urls", {}).get("Source")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": for_index(readme, source),
        }


def for_index(readme: str, source: str | None) -> str:
    """Give Markdown without relative links; `source` is the repository's address, if there is one.

    What stands in a block of code is no link, whatever its brackets look like.
    """
    parts = re.split(r"(^```.*?^```[^\n]*$)", readme, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.startswith("```") else _relinked(part, source) for part in parts)


def _relinked(text: str, source: str | None) -> str:
    def picture(match: re.Match[str]) -> str:
        label, target = match.groups()
        if _ELSEWHERE.match(target):
            return match[0]
        return f"![{label}]({source}/raw/HEAD/{target})" if source else ""

    def link(match: re.Match[str]) -> str:
        label, target = match.groups()
        if _ELSEWHERE.match(target):
            return match[0]
        return f"[{label}]({source}/blob/HEAD/{target})" if source else label

    def tag(match: re.Match[str]) -> str:
        target = match[2]
        if _ELSEWHERE.match(target):
            return match[0]
        return match[0].replace(target, f"{source}/raw/HEAD/{target}") if source else ""

    return _LINK.sub(link, _PICTURE.sub(picture, _TAG.sub(tag, text)))
