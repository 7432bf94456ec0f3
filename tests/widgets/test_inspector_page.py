"""The inspector as a page of its own: the file. `tests/browser` opens it."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import nbchat
from nbchat.widgets.inspector.page_messages import AT_ONCE, MOST
from nbchat.widgets.inspector.standalone import packed
from tests.frames.made import choice, entry, run_of


def unpacked(text: str) -> tuple[Any, bytes]:
    whole = zlib.decompress(base64.b64decode(text))
    size = int.from_bytes(whole[:4], "little")
    return json.loads(whole[4 : 4 + size]), whole[4 + size :]


def test_bytes_stand_behind_the_json_that_names_them() -> None:
    value, data = unpacked(packed({"a": b"one", "b": [{"c": b""}, "</script>", b"two"]}))
    assert value["b"][1] == "</script>"
    places = [value["a"], value["b"][0]["c"], value["b"][2]]
    assert [data[p["at"] : p["at"] + p["size"]] for p in places] == [b"one", b"", b"two"]


def test_the_page_is_text_or_a_file_and_has_all_alternatives(tmp_path: Path) -> None:
    listed = [(f"w{i}", -float(i + 1)) for i in range(MOST + 1)]
    n = AT_ONCE // MOST + 2  # more than a notebook's page is given at once
    inspector = nbchat.inspect(run_of(choice(*[entry("</script>", -1.0, *listed)] * n)))
    assert "alternatives" not in inspector._page.whole()["tables"][0]
    text = inspector.to_html()
    assert isinstance(text, str)
    assert inspector.to_html(tmp_path / "page.html") == tmp_path / "page.html"
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == text
    found = re.search(r'id="nbchat-data">([^<]*)<', text)
    assert found is not None
    state, _ = unpacked(found.group(1))
    stretch = state["_page"]["tables"][0]["alternatives"]
    assert (stretch["start"], stretch["stop"]) == (0, n)
    assert text.count("</script>") == 2
