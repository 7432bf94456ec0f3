from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.display.highlighted import MOST_HIGHLIGHTED, code_html
from nbchat.display.sanitise import as_html, frame_bundle, is_harmless, whole_bundle

TAME = [
    "Plain text, 1 < 2 and a<b with $x<y$? No: a < b.",
    "# Title\n\n- one\n- two\n\n`code` and **bold**",
    "```python\nif a < b:\n    print('x')\n```",
    "[link](https://example.org/x?y=1) and [mail](mailto:a@example.org)",
    "[ref]: https://example.org",
    "a[i]: value",
    "| a | b |\n|---|---|\n| 1 | 2 |",
]
WILD = [
    "<script>alert(1)</script>",
    "a <img src=x onerror=alert(1)>",
    "<!-- comment -->",
    "</div>",
    "`<b>`",
    "![picture](https://example.org/x.png)",
    "[x](javascript:alert(1))",
    "[x]( \n javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](data:text/html,hi)",
    "[x](vbscript:x)",
    "[x](file:///etc/passwd)",
    "[x][y]\n\n[y]: javascript:alert(1)",
    "[x](<javascript:alert(1)>)",
]


@pytest.mark.parametrize("text", [t for t in TAME if "a<b" not in t])
def test_ordinary_markdown_is_left_to_the_front_end(text: str) -> None:
    assert is_harmless(text)
    assert whole_bundle(text) == {"text/markdown": text}
    assert frame_bundle(text) == {"text/markdown": text, "text/plain": text}


@pytest.mark.parametrize("text", WILD)
def test_what_could_act_is_rendered_here(text: str) -> None:
    bundle = whole_bundle(text)
    assert bundle["text/markdown"] == text  # byte for byte, beside it
    frame = frame_bundle(text)
    assert set(frame) == {"text/html", "text/plain"}
    assert frame["text/plain"] == text
    tags = set(re.findall(r"<(/?[a-z0-9]+)", bundle["text/html"]))
    assert tags <= {"div", "/div", "p", "/p", "a", "/a", "code", "/code"}
    for address in re.findall(r'href="([^"]*)"', bundle["text/html"]):
        assert address.startswith("https://")
    assert not re.search(r"<[^>]*\son\w+=", bundle["text/html"])


def test_code_with_tags_is_shown_as_it_is() -> None:
    html = as_html("```cpp\n#include <stdio.h>\nstd::vector<int> x;\n```")
    shown = re.sub(r"</?span[^>]*>", "", html)  # its colours
    assert "#include &lt;stdio.h&gt;\nstd::vector&lt;int&gt; x;" in shown


def test_tables_and_strikethrough_survive() -> None:
    html = as_html("| a | b |\n|---|---|\n| <i> | ~~2~~ |")
    assert "<table>" in html
    assert "&lt;i&gt;" in html
    assert "<s>2</s>" in html


def test_a_picture_becomes_a_link_that_nobody_follows_unasked() -> None:
    html = as_html('![my "chart"](https://example.org/x.png?q="1")')
    assert "<img" not in html
    assert 'href="https://example.org/x.png?q=%221%22"' in html
    assert "my &quot;chart&quot;" in html


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5.",
        "A formula $x_i^2$ and another, $a + b$.",
        "$$\nx = 1\n$$",
        "```bash\necho $HOME $PATH\n```",
        "`$a` and `$b`",
        r"\$5 and \$6",
    ],
)
def test_dollars_that_notebooks_read_rightly_are_left_to_them(text: str) -> None:
    assert is_harmless(text)


@pytest.mark.parametrize("text", ["It costs $5 and then $6.", "$5/$6", "from $5-$6 to $x_i^2$"])
def test_prices_are_no_formulas(text: str) -> None:
    html = whole_bundle(text)["text/html"]
    assert html.count('<span class="mathjax_ignore">$</span>') == 2
    assert ("$x_i^2$" in html) == ("x_i" in text)


def test_formulas_in_backslashes_keep_them() -> None:
    text = "so \\(a_1*b*c < d\\) and\n\n\\[\nx_1 = y_1\n\\]\n\nbut `\\(code\\)`"
    html = whole_bundle(text)["text/html"]
    assert r"\(a_1*b*c &lt; d\)" in html
    assert "\\[\nx_1 = y_1\n\\]" in html
    assert r"<code>\(code\)</code>" in html
    assert "<em>" not in html


def test_what_stands_in_a_formula_cannot_act_either() -> None:
    html = as_html(
        '\\(<img src=x onerror=alert(1)>\\) $<b onclick="x">$ [a](http://b "\\(\\")x\\)")'
    )
    assert "<img" not in html
    assert "<b " not in html
    assert not re.search(r"<[^>]*\son\w+=", html)


@pytest.mark.long
@pytest.mark.parametrize(
    "piece", ["[", "*a ", "> ", "`", "|", "$", "\\(", "![", "<a ", "](", "$a "]
)
def test_odd_text_takes_linear_time(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    is_harmless(text)  # a quadratic pattern would not return
    as_html(text[:20_000])


def test_code_beside_a_price_keeps_its_colours_and_its_blanks() -> None:
    reply = "From $5 to $6, for `<int>`:\n\n```python\ndef f(x):\n    return 'a  b'  # $5\n```\n"
    html = as_html(reply)
    assert '<pre class="highlight"><code class="language-python">' in html
    for name, text in (("k", "def"), ("nf", "f"), ("s1", "'a  b'"), ("c1", "# $5")):
        span = rf'<span class="{name}" style="[^"]*--jp-mirror-[^"]*">{re.escape(text)}</span>'
        assert re.search(span, html)
    shown = html.split("<code class=")[1].split(">", 1)[1].split("</code>")[0]
    assert re.sub(r"</?span[^>]*>", "", shown) == "def f(x):\n    return 'a  b'  # $5\n"


@pytest.mark.parametrize("language", ["", "nosuch", "<script>", '" onclick="x'])
def test_code_of_a_language_that_nobody_knows_is_code(language: str) -> None:
    html = code_html("a < b && c", language)
    assert "a &lt; b &amp;&amp; c" in html
    assert "<script" not in html
    assert " onclick" not in html.replace("&quot; onclick", "")


def test_code_that_is_very_long_is_not_looked_at() -> None:
    assert "<span" not in code_html("x = 1\n" * MOST_HIGHLIGHTED, "python")


@given(st.text(max_size=200), st.sampled_from(["python", "json", "cpp", "html", "sql", "bash"]))
def test_the_text_of_code_is_what_was_written(code: str, language: str) -> None:
    html = code_html(code, language)
    inside = html.split("<code", 1)[1].split(">", 1)[1].rpartition("</code>")[0]
    written = unescape(re.sub(r"</?span[^>]*>", "", inside))
    assert written == code.replace("\r\n", "\n").replace("\r", "\n")
