from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.code.markdown_table import table
from nbchat.code.template import fill
from nbchat.errors import TemplateError


@given(st.text().filter(lambda text: "{{" not in text and "{%" not in text))
def test_text_that_is_no_template_passes_untouched(text: str) -> None:
    assert fill(text, {}) is text


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"b": [1, {"c": 2}]}}',
        "def f(x): return {x: {1}}",
        "{# x #} and #} and # line",
        "$5 {x} %s %(a)s ${HOME}",
        "\\begin{align} a & b \\\\ \\end{align}",
        "a\r\nb\n",
    ],
)
def test_json_code_and_formulas_pass_untouched(text: str) -> None:
    assert fill(text, {}) == text


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{ name }}", "Ada"),
        ("{{name}}\n", "Ada\n"),
        ("{# not a comment #} {{ name }} #}", "{# not a comment #} Ada #}"),
        ("# {{ name }}\n## {{ name }}", "# Ada\n## Ada"),
        ("{% for n in numbers %}{{ n }},{% endfor %}", "1,2,3,"),
        ("{{ numbers[0] }} {{ person.age }} {{ name|upper }}", "1 36 ADA"),
        ("{{ markup }}", "<b>&</b>"),
        ("{{ nested }}", "{{ name }}"),
        ("{{ missing|default('none') }}", "none"),
        ("{% if missing is defined %}x{% endif %}y", "y"),
        ("{{ '{{' }} x }}", "{{ x }}"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("{{ nothing }}", "None"),
    ],
)
def test_only_what_stands_in_double_braces_is_filled_in(text: str, filled: str) -> None:
    class Person:
        age = 36

    variables: dict[str, Any] = {
        "name": "Ada",
        "numbers": [1, 2, 3],
        "person": Person(),
        "markup": "<b>&</b>",
        "nested": "{{ name }}",
        "nothing": None,
    }
    assert fill(text, variables) == filled


def test_an_undefined_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(TemplateError, match=r"no variable questoin\. Did you mean question\?"):
        fill("{{ questoin }}", {"question": 1, "_questoin": 2})


def test_all_undefined_names_are_named() -> None:
    with pytest.raises(TemplateError, match=r"no variable a.*no variable b"):
        fill("{{ a }} {{ b }}", {})


@pytest.mark.parametrize("text", ["{{ x", "{% if %}", "{{ 1 +* }}", '{{"a": 1}}', "{% nothing %}"])
def test_what_is_no_template_is_refused_and_raw_is_named(text: str) -> None:
    with pytest.raises(TemplateError, match="--raw"):
        fill(text, {})


@pytest.mark.parametrize(
    "text",
    [
        "{{ x.__class__.__mro__ }}",
        "{{ x.append(1) }}",
        "{{ f.__globals__ }}",
        "{{ ''.__class__ }}",
        "{{ x.nothing }}",
        "{{ 1 / 0 }}",
        "{{ '%s'|format(x.__class__) }}",
    ],
)
def test_the_sandbox_gives_nothing_away_and_changes_nothing(text: str) -> None:
    x = [1]
    with pytest.raises(TemplateError):
        fill(text, {"x": x, "f": fill})
    assert x == [1]


def test_a_frame_fills_in_as_a_markdown_table() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x|y", "two\nlines"], "c": [0.5, None]})
    assert fill("{{ df }}!", {"df": frame}) == (
        "| a | b | c |\n| --- | --- | --- |\n| 1 | x\\|y | 0.5 |\n| 2 | two<br>lines | NaN |!"
    )


def test_an_index_that_means_something_is_shown() -> None:
    frame = pd.DataFrame({"n": [1, 2]}, index=pd.Index(["x", "y"], name="key"))
    assert table(frame).splitlines() == ["| key | n |", "| --- | --- |", "| x | 1 |", "| y | 2 |"]
    several = frame.set_index([pd.Index([3, 4])], append=True)
    assert table(several).splitlines()[2] == "| x | 3 | 1 |"
    assert table(frame[frame.n > 1].reset_index()).splitlines()[2] == "| y | 2 |"


def test_a_series_fills_in_as_a_table() -> None:
    series = pd.Series([1, 2], name="n")
    assert fill("{{ s }}", {"s": series}) == "| n |\n| --- |\n| 1 |\n| 2 |"


@pytest.mark.parametrize(("rows", "left_out"), [(50, 0), (51, 1), (1_200, 1_150)])
def test_a_table_has_fifty_rows_at_most_and_says_so(rows: int, left_out: int) -> None:
    lines = table(pd.DataFrame({"n": range(rows)})).splitlines()
    assert sum(line.startswith("| ") for line in lines) == 52
    if left_out:
        assert lines[-1] == f"(50 of {rows:,} rows shown, {left_out:,} left out)"
        assert lines[-2] == "", "the line is no row of the table"
    else:
        assert len(lines) == 52


def test_an_empty_frame_is_a_table_without_rows() -> None:
    assert table(pd.DataFrame({"a": []})) == "| a |\n| --- |"
    assert fill("{{ df }}", {"df": pd.DataFrame()}) == "|  |\n|  |"


def test_columns_of_several_levels_have_one_header() -> None:
    columns = pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])
    assert table(pd.DataFrame([[1, 2]], columns=columns)).startswith("| a / 1 | a / 2 |")
