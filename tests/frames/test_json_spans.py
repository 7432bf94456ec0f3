import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbchat.errors import NoObjectError
from nbchat.frames.json_spans import spans_of

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
TYPES = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"} | {
    dict: "object",
    list: "array",
}


def walked(value, steps=()):
    """Every value with the way that leads to it, in the order in which JSON writes them."""
    yield steps, value
    if isinstance(value, (dict, list)):
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from walked(inner, (*steps, step))


def is_json(text):
    def refuse(name):
        raise ValueError(name)

    try:
        json.loads(text, parse_constant=refuse)
    except ValueError:
        return False
    return True


@given(VALUES, st.booleans(), st.sampled_from([None, 0, 1]), st.sampled_from(["", "  ", "\n\t\r"]))
def test_each_value_is_found_where_json_has_it(value, is_ascii, indent, blanks):
    text = blanks + json.dumps(value, ensure_ascii=is_ascii, indent=indent) + blanks
    data = text.encode("utf-8", "surrogatepass")
    spans = spans_of(data)
    assert [(s.steps, s.type) for s in spans] == [(w, TYPES[type(v)]) for w, v in walked(value)]
    for span, (_, inner) in zip(spans, walked(value), strict=True):
        assert json.loads(data[span.start : span.end].decode("utf-8", "surrogatepass")) == inner


@given(VALUES, st.data())
def test_a_text_that_is_changed_anywhere_is_taken_where_json_takes_it(value, data):
    text = json.dumps(value)
    at = data.draw(st.integers(0, len(text)))
    change = data.draw(st.sampled_from([*'{}[],:"0.e-+\\ tn/', ""]))
    text = text[:at] + change + text[at + data.draw(st.integers(0, 1)) :]
    try:
        spans = spans_of(text.encode())
    except NoObjectError:
        assert not is_json(text)
        return
    is_whole = any(span.steps == () for span in spans)
    assert is_whole == is_json(text)


@given(VALUES, st.data())
def test_cut_anywhere_it_gives_the_values_that_were_whole(value, data):
    whole = json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")
    end = data.draw(st.integers(0, len(whole)))
    spans = spans_of(whole)
    expected = [s for s in spans if s.end < end or (s.end == end and s.type != "number")]
    assert spans_of(whole[:end], is_cut=True) == expected


LIKE_JSON = st.text('{}[],:"0123.e-+\\u tfnrulase', max_size=12).map(str.encode)


@given(st.binary(max_size=12) | LIKE_JSON)
def test_any_bytes_give_spans_or_an_error_of_our_own(data):
    with contextlib.suppress(NoObjectError):
        spans_of(data)


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ('{"a": {"b": [1, {"c": 2}]}}', ["", "a", "a.b", "a.b[0]", "a.b[1]", "a.b[1].c"]),
        ('{"a": 1, "a": 2, "a": 3}', ["", "a", "a#2", "a#3"]),
        ('{"x y": 1, "x y": 2, "a#2": 3}', ["", '["x y"]', '["x y"#2]', '["a#2"]']),
        ('[[1], "é"]', ["", "[0]", "[0][0]", "[1]"]),
        ('{"": {"ä.b": 1}}', ["", '[""]', '[""]["ä.b"]']),
        ("-1.5E+3", [""]),
        ('{"a": []}', ["", "a"]),
    ],
)
def test_paths_tell_values_apart(text, paths):
    assert [span.path for span in spans_of(text.encode())] == paths


def test_escapes_are_read_and_half_a_pair_stays_as_it_is_written():
    spans = spans_of(rb'["\ud83d\ude00 \"\n\u00e9", "\ud83d", "\\u0041"]')
    assert [span.value for span in spans[1:]] == ['😀 "\né', r"\ud83d", r"\u0041"]


def test_a_fence_of_markdown_is_read_inside():
    data = b'```json\n{"a": 1}\n```\n'
    span = spans_of(data)[0]
    assert data[span.start : span.end] == b'{"a": 1}'
    assert spans_of(b'```\n{"a": 1')[0:] == []
    with pytest.raises(NoObjectError, match="byte 8 begins '```'"):
        spans_of(b'{"a": 1}```')


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Sure!", "byte 0 begins 'Sure!', where a value should be"),
        ('{"a": 1} or so', "byte 9 begins 'or so', where the end should be"),
        ('{"a"; 1}', "byte 4 begins '; 1}', where a colon should be"),
        ("[01]", "byte 1 begins '01]', where a value or ] should be"),
        ('["a\tb"]', "where a value or ] should be"),
        ("[NaN]", "where a value or ] should be"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(text, sentence):
    with pytest.raises(NoObjectError) as caught:
        spans_of(text.encode())
    assert sentence in str(caught.value)


def test_nesting_has_a_limit_and_no_recursion():
    assert len(spans_of(b"[" * 500 + b"]" * 500)) == 500
    with pytest.raises(NoObjectError, match="more than 500 levels"):
        spans_of(b"[" * 100_000)


def test_a_long_text_is_read_in_a_moment():
    long = json.dumps({"a": "x" * 2_000_000, "b": list(range(20_000))}).encode()
    assert len(spans_of(long)) == 20_003
