"""A template reads and formats; it runs, changes, writes and waits for nothing."""

# ruff: noqa: E501 - a table of templates, one beside the other
from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import os
import pathlib
import subprocess
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbchat
from nbchat import Profile
from nbchat.client import Secret
from nbchat.code.template import fill
from nbchat.errors import NbchatError, TemplateError
from tests.cases.canary import CANARY
from tests.fuzzing import examples
from tests.magics.conftest import Shell
from tests.scripted import ScriptedServer, speaking

pytestmark = pytest.mark.long


class Trap(Exception):
    """Something of the user's was called."""


def trap(*_: object, **__: object) -> Any:
    raise AssertionError("it ran")


class Thing:
    """An object with a method that must not run."""

    kind = "thing"

    def __init__(self) -> None:
        self.name = "Ada"
        self.function = trap

    @property
    def age(self) -> int:
        return 36

    run = delete = append = get = upper = trap

    def __call__(self) -> None:
        trap()


class Text(str):
    """A text whose own methods run something."""

    def upper(self) -> str:
        return trap()  # type: ignore[no-any-return]

    custom = trap


class Frame(pd.DataFrame):
    head = trap


@dataclasses.dataclass
class Point:
    x: int


class Pair(NamedTuple):
    left: int


def variables() -> dict[str, Any]:
    return {
        "f": trap, "thing": Thing(), "Thing": Thing, "text": Text("a"), "os": os, "str": str,
        "subprocess": subprocess, "pathlib": pathlib, "path": pathlib.Path("made-by-a-template"),
        "open": open, "get_ipython": lambda: SimpleNamespace(system=trap), "print": print,
        "eval": eval, "np": np, "pd": pd, "frame": pd.DataFrame({"n": [1, 2], "t": ["a", "b"]}),
        "mine": Frame({"n": [1]}), "series": pd.Series([1, 2], name="n"), "array": np.arange(3),
        "other": np.zeros(()), "list": [3, 1], "dict": {"a": 1, "run": trap}, "set": {1},
        "default": defaultdict(list), "bytes": bytearray(b"ab"), "count": itertools.count(),
        "gen": (n for n in (1, 2)), "iter": iter([1, 2]), "gens": [(n for n in (1, 2))],
        "file": pathlib.Path(os.devnull).open(), "profile": Profile(name="x", base_url="http://h/v1", key=Secret(CANARY)),
        "big": "x" * 1_000_000, "bound": [].append, "part": "".join, "nbchat": nbchat,
        "holder": SimpleNamespace(os=os, gen=(n for n in (1, 2)), f=trap, inner=Thing()),
    }  # fmt: skip


ATTACKS = [
    # whatever can be called
    '{{ get_ipython().system("touch ran") }}', '{{ open("ran").read() }}', '{{ open("ran", "w") }}',
    "{{ f() }}", "{{ thing() }}", "{{ thing.run() }}", "{{ thing.get('a') }}", "{{ thing.upper() }}",
    "{{ thing.append(1) }}", "{{ thing.function() }}", "{{ thing['run']() }}", "{{ Thing() }}",
    "{{ text.upper() }}", "{{ text.custom() }}", "{{ dict.run() }}", "{{ dict['run']() }}",
    "{{ holder.f() }}", "{{ holder.inner.run() }}", "{{ bound(1) }}", "{{ eval('f()') }}",
    "{{ print('x') }}", "{{ path.touch() }}", "{{ path.write_text('x') }}", "{{ path.unlink() }}",
    "{{ file.read() }}", "{{ file.close() }}", "{{ str.mro() }}", "{{ str('x') }}",
    "{% call(x) f() %}{% endcall %}", "{% set g = f %}{{ g() }}", "{{ (f or 1)() }}",
    "{% macro m(g) %}{{ g() }}{% endmacro %}{{ m(f) }}", "{{ [f][0]() }}", "{{ {'g': f}.g() }}",
    "{% for g in [f] %}{{ g() }}{% endfor %}", "{% with g = f %}{{ g() }}{% endwith %}",
    # modules and what they reach
    "{{ os.system('touch ran') }}", "{{ os.getcwd() }}", "{{ os.environ }}", "{{ os.environ.HOME }}",
    "{{ os }}", "{{ os['environ'] }}", "{{ os | attr('environ') }}", "{{ holder.os.environ }}",
    "{{ holder['os'].environ }}", "{{ [holder] | map(attribute='os.environ') | list }}",
    "{{ pathlib.os.system('touch ran') }}", "{{ subprocess.run(['touch', 'ran']) }}",
    "{{ np.save('ran', array) }}", "{{ pd.read_pickle('ran') }}", "{{ nbchat.configure() }}",
    "{{ nbchat.session.settings }}",
    # what is private
    "{{ ''.__class__.__mro__ }}", "{{ ''['__class__'] }}", "{{ '' | attr('__class__') }}",
    "{{ ''|attr('__cl' ~ 'ass__') }}", "{{ f.__globals__ }}", "{{ f.__code__ }}", "{{ f.func_globals }}",
    "{{ thing.__init__.__globals__ }}", "{{ thing.__dict__ }}", "{{ Thing.run }}", "{{ gen.gi_frame }}",
    "{{ [thing]|map(attribute='__class__')|list }}", "{{ [thing]|groupby('__class__') }}",
    "{{ [thing]|sum(attribute='__class__') }}", "{{ [thing]|selectattr('__class__')|list }}",
    "{{ cycler.__init__.__globals__ }}", "{{ joiner.__init__.__globals__.os }}",
    "{{ self.__init__ }}", "{{ self._TemplateReference__context }}", "{{ range.__class__ }}",
    "{% for x in [1] %}{{ loop.__class__ }}{% endfor %}", "{{ namespace.__init__ }}",
    "{{ '{0.__class__}'.format(1) }}", "{{ '{0.__init__.__globals__}'.format(thing) }}",
    "{{ '{x.os.environ}'.format(x=holder) }}", "{{ '{a[os]}'.format_map({'a': holder}) }}",
    "{{ ('{0.__cl' + 'ass__}').format('') }}", "{{ '{0.f.__globals__}'.format(holder) }}",
    "{{ profile.key.reveal() }}", "{{ profile.key._value }}", "{{ profile.request_headers() }}",
    "{{ profile.redact('x') }}", "{{ '{0.key._value}'.format(profile) }}",
    # changes
    "{{ list.append(1) }}", "{{ list.sort() }}", "{{ list.pop() }}", "{{ list.clear() }}",
    "{{ list.reverse() }}", "{{ dict.update(a=2) }}", "{{ dict.pop('a') }}", "{{ dict.clear() }}",
    "{{ dict.setdefault('b', 1) }}", "{{ set.add(2) }}", "{{ set.clear() }}", "{{ bytes.extend('x') }}",
    "{{ bytes.clear() }}", "{{ default['new'].append(1) }}", "{% do list.append(1) %}",
    "{% set list.x = 1 %}", "{% set thing.name = 'B' %}", "{{ array.fill(9) }}", "{{ array.sort() }}",
    "{{ array.sum(out=other) }}", "{{ array.resize(9) }}", "{{ array.setflags(write=False) }}",
    "{{ frame.drop(columns='n', inplace=True) }}", "{{ frame.insert(0, 'x', 1) }}",
    "{{ frame.pop('n') }}", "{{ frame.update(frame) }}", "{{ frame.sort_values('n', inplace=1) }}",
    "{{ frame.rename(columns={'n': 'm'}, inplace=True) }}", "{{ series.update(series) }}",
    # files
    "{{ frame.to_csv('ran') }}", "{{ frame.to_csv(path_or_buf='ran') }}", "{{ frame.to_pickle('ran') }}",
    "{{ frame.to_json('ran') }}", "{{ frame.to_html('ran') }}", "{{ frame.to_string('ran') }}",
    "{{ frame.to_string(buf='ran') }}", "{{ frame.to_latex(buf='ran') }}", "{{ frame.to_markdown('ran') }}",
    "{{ frame.to_parquet('ran') }}", "{{ frame.to_excel('ran') }}", "{{ frame.to_sql('ran', 'x') }}",
    "{{ frame.to_clipboard() }}", "{{ frame.n.to_csv('ran') }}", "{{ series.to_pickle('ran') }}",
    "{{ array.tofile('ran') }}", "{{ array.dump('ran') }}", "{{ frame.values.tofile('ran') }}",
    "{{ frame.style.to_html('ran') }}", "{{ frame.plot() }}", "{{ frame.hist() }}",
    # code as text or function
    "{{ frame.eval('n + 1') }}", "{{ frame.query('@f()') }}", "{{ frame.apply(f) }}",
    "{{ frame.pipe(f) }}", "{{ frame.agg(f) }}", "{{ frame.agg('to_csv', 0, 'ran') }}",
    "{{ frame.transform(f) }}", "{{ frame.map(f) }}", "{{ series.map(f) }}", "{{ series.apply(f) }}",
    "{{ frame.groupby(f).sum() }}", "{{ frame.groupby('n').apply(f) }}", "{{ frame.groupby('n').pipe(f) }}",
    "{{ frame.groupby('n').n.agg(f) }}", "{{ frame.sort_values('n', key=f) }}", "{{ frame.loc[f] }}",
    "{{ frame[f] }}", "{{ frame.iloc[f] }}", "{{ frame.where(f) }}", "{{ frame.mask(f) }}",
    "{{ frame.loc[(f, 'n')] }}", "{{ frame.pivot_table(index='t', aggfunc=f) }}",
    "{{ series.str.replace('a', f) }}", "{{ frame.t.str.replace('a', f) }}", "{{ frame.to_dict(into=f) }}",
    "{{ frame.to_string(formatters=[f, f]) }}", "{{ frame.to_string(float_format=f) }}",
    "{{ frame.rename(columns=f) }}", "{{ frame.rolling(1).apply(f) }}", "{{ mine.head() }}",
    # what would be used up, or has no end
    "{{ gen | list }}", "{{ gen | join }}", "{{ gen | first }}", "{{ iter | list }}", "{{ count | sum }}",
    "{% for x in count %}{% endfor %}", "{% for x in gen %}{{ x }}{% endfor %}", "{{ holder.gen | list }}",
    "{{ gens[0] | list }}", "{{ {'g': gens[0]}.get('g') | list }}", "{{ {'g': holder.gen} }}",
    "{{ {'g': gens}.get('g')[0] | list }}", "{{ gens | first | list }}", "{% for g in gens %}{{ g | list }}{% endfor %}",
    "{{ gens | map('list') | list }}", "{% for line in file %}{{ line }}{% endfor %}", "{{ file | list }}",
    "{% for x in range(10 ** 9) %}{% endfor %}", "{{ range(10 ** 9) | list }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in range(99999) %}{% for b in list * 1000 %}{% endfor %}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{{ 'x' * 10 ** 9 }}", "{{ 10 ** 9 * 'x' }}",
    "{{ [1] * 10 ** 9 }}", "{{ 9 ** 9 ** 9 ** 9 ** 9 ** 9 ** 9 }}", "{{ '%1000000000d' % 1 }}", "{{ '%*d' % (10**9, 1) }}",
    "{{ '{:1000000000}'.format(1) }}", "{{ '{:{w}}'.format(1, w=10**9) }}", "{{ 'x'.center(10 ** 9) }}",
    "{{ 'x'.ljust(10 ** 9) }}", "{{ 'x'.zfill(10 ** 9) }}", "{{ '\t'.expandtabs(10 ** 9) }}",
    "{{ 'x' | center(10 ** 9) }}", "{{ 'x\n' | indent(10 ** 9) }}", "{{ '%1000000000d' | format(1) }}",
    "{{ big | replace('x', big) }}", "{{ big.replace('x', big) }}", "{{ big.join(big) }}",
    "{{ big | join(big) }}", "{{ ([big] * 1000) | join }}", "{{ lipsum(10 ** 9) }}",
    "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% for i in range(99999) %}{{ big }}{% endfor %}", "{{ [1] | batch(10 ** 9, 0) | list }}",
    "{{ [1] | slice(10 ** 9) | list }}",
    # other templates
    "{% include 'x' %}", "{% import 'os' as o %}", "{% extends 'x' %}", "{% from 'os' import x %}",
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_and_nothing_has_happened(
    attack: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    known = variables()
    before = str({n: v for n, v in known.items() if n != "default"})
    with known["file"], pytest.raises(TemplateError) as caught:
        fill(attack, known)
    assert "it ran" not in str(caught.value)
    assert CANARY not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert str({n: v for n, v in known.items() if n != "default"}) == before
    assert (next(known["gen"]), next(known["iter"]), next(known["gens"][0])) == (1, 1, 1)
    assert next(known["count"]) == 0


@pytest.mark.parametrize("attack", [a for a in ATTACKS if "'ran'" in a or "f()" in a or '"' in a])
def test_a_dry_run_changes_nothing(
    attack: str,
    shell: Shell,
    server: ScriptedServer,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    known = variables()
    shell.ip.push({name: value for name, value in known.items() if name != "get_ipython"})
    for cell in (f"%%chat --dry-run\n{attack}", f"%%chat\n{attack}"):
        with pytest.raises(NbchatError):
            raise shell.error(cell)
    known["file"].close()
    assert server.requests == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{ 'ab'.upper() }} {{ ' a '.strip() }} {{ 'a,b'.split(',')[1] }}", "AB a b"),
        ("{{ ', '.join(names) }} {{ names | join('+') }}", "Ada, Bob Ada+Bob"),
        ("{{ '{:.2f} {name} {0[k]}'.format(1.5, name='x') if 0 else '{:.2f}'.format(1.5) }}", "1.50"),
        ("{{ '{:>5}|{x.x}'.format(7, x=point) }}", "    7|3"),
        ("{{ '%.1f%%' % 12.34 }} {{ '%s' | format('x') }}", "12.3% x"),
        ("{{ 1234567 | filesizeformat }} {{ '{:,}'.format(10**9) }}", "1.2 MB 1,000,000,000"),
        ("{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{{ d.get('z', 0) }}", "a=1;b=2;0"),
        ("{{ d.keys() | list }} {{ d.values() | sum }} {{ d | length }}", "['a', 'b'] 3 2"),
        ("{{ counter['a'] }} {{ ordered.get('a') }}", "2 1"),
        ("{{ point.x }} {{ pair.left }} {{ space.a.b }} {{ thing.age }} {{ thing.name }}", "3 1 2 36 Ada"),
        ("{{ day.strftime('%d.%m.%Y') }} {{ day.isoformat() }}", "02.01.2026 2026-01-02"),
        ("{{ frame.shape }} {{ frame.n.sum() }} {{ frame['n'].mean() }}", "(2, 2) 3 1.5"),
        ("{{ frame.head(1).to_csv(index=False) }}", "n,t\n1,a\n"),
        ("{{ frame.to_json(orient='records') }}", '[{"n":1,"t":"a"},{"n":2,"t":"b"}]'),
        ("{{ frame.loc[0, 'n'] }} {{ frame.iloc[-1].t }} {{ frame.columns | list }}", "1 b ['n', 't']"),
        ("{{ frame.groupby('t').n.sum().to_dict() }}", "{'a': 1, 'b': 2}"),
        ("{{ frame.t.str.upper().tolist() }}", "['A', 'B']"),
        ("{% for row in frame.itertuples() %}{{ row.n }}{{ row.t }} {% endfor %}", "1a 2b "),
        ("{% for i, row in frame.to_dict('index').items() %}{{ i }}{{ row.n }}{% endfor %}", "0112"),
        ("{{ frame[frame.n > 1].t.iloc[0] }}", "b"),
        ("{{ array.mean() }} {{ array[1] }} {{ array.tolist() }} {{ (array * 2).sum() }}", "1.0 1 [0, 1, 2] 6"),
        ("{{ [3, 1] | sort | first }} {{ 'a b' | title | replace(' ', '_') }}", "1 A_B"),
        ("{{ people | map(attribute='x') | list }} {{ people | sum(attribute='x') }}", "[3, 4] 7"),
        ("{% for x in [1, 2] %}{{ loop.index }}{{ loop.cycle('a', 'b') }}{% endfor %}", "1a2b"),
        ("{% set ns = namespace(n=0) %}{% for x in [1, 2] %}{% set ns.n = ns.n + x %}{% endfor %}{{ ns.n }}", "3"),
        ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(1) }}{{ m('a') }}", "<1><a>"),
        ("{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}", "ab"),
        ("{{ range(3) | list }} {{ dict(a=1) }} {{ [1, 2] | random in [1, 2] }}", "[0, 1, 2] {'a': 1} True"),
        ("{{ [1, 2, 3] | batch(2) | list }} {{ 'x' | center(5) }}|", "[[1, 2], [3]]   x  |"),
        ("{{ run.text }} {{ run.usage.total_tokens }} {{ run.model }}", "Hello. 11 scripted-model"),
        ("{{ 2 ** 10 }} {{ 'ab' * 2 }} {{ 7 // 2 }} {{ 'a' ~ 1 ~ none }}", "1024 abab 3 a1None"),
        ("{% filter upper %}a{{ 'b' }}{% endfilter %}{% if names is iterable %}!{% endif %}", "AB!"),
    ],
)  # fmt: skip
def test_what_reads_and_formats_goes_on_working(text: str, filled: str) -> None:
    with ScriptedServer(default=speaking("Hello.")) as server:
        run = nbchat.chat("Hi", profile=Profile(name="x", base_url=server.url))
    known: dict[str, Any] = {
        "names": ["Ada", "Bob"], "d": {"a": 1, "b": 2}, "point": Point(3), "pair": Pair(1),
        "space": SimpleNamespace(a=SimpleNamespace(b=2)), "thing": Thing(), "run": run,
        "day": dt.date(2026, 1, 2), "people": [Point(3), Point(4)], "array": np.arange(3),
        "frame": pd.DataFrame({"n": [1, 2], "t": ["a", "b"]}), "counter": Counter("aab"),
        "ordered": OrderedDict(a=1),
    }  # fmt: skip
    assert fill(text, known) == filled


WORDS = """f thing frame series array list dict gen os . .run .__class__ ( ) () ('ran') [0] ['a'] |
attr('x') map(attribute='run') list join {{ }} {% for x in %} {% endfor %} ~ * 'x' 10 ** , ="""
PIECES = st.sampled_from(WORDS.split())


@examples(300)
@given(st.lists(PIECES, max_size=8))
def test_any_template_is_filled_or_refused(pieces: list[str]) -> None:
    known = variables()
    with known["file"]:
        said = ""
        try:
            fill("{{ " + " ".join(pieces) + " }}", known)
        except TemplateError as error:
            said = str(error)
    assert "it ran" not in said


class Strange(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __str__(self) -> str:
        return "strange"


def test_other_objects_are_shown_as_they_say() -> None:
    assert fill("{{ x }} {{ y }}", {"x": Strange(), "y": len}) == f"strange {len}"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{{ frame }}", "frame"),
        ("{{ a.frame }}", "a.frame"),
        ("{{ d['frame'] }}", "d['frame']"),
        ("{{ frame.head(300) }}", "frame.head(…)"),
        ("{{ 'x' ~ frame }}", "frame"),
        ("{{ frame | string }}", "a value"),
        ("{% for each in [frame] %}{{ each }}{% endfor %}", "each"),
    ],
)
def test_rows_that_did_not_fit_are_reported_and_a_spelling_sends_them_all(
    text: str, name: str
) -> None:
    frame = pd.DataFrame({"n": range(1_000)})
    known = {"frame": frame, "a": SimpleNamespace(frame=frame), "d": {"frame": frame}}
    notes: list[str] = []
    filled = fill(text, known, notes)
    rows = 300 if "300" in text else 1_000
    assert filled.count("\n| ") == 51
    assert notes == [f"50 of {rows:,} rows of {name} sent ({{{{ {name} | all_rows }}}} sends all)"]
    assert fill(text + text, known, notes)
    assert len(notes) == 1
    more: list[str] = []
    assert fill("{{ frame | all_rows }}", known, more).count("\n| ") == 1_001
    assert fill("{{ frame.n | all_rows }}", known, more).count("\n| ") == 1_001
    assert fill("{{ frame.to_csv(index=False) }}", known, more).count("\n") == 1_001
    assert fill("{{ frame.head() }}", known, more)
    assert more == []


@pytest.mark.parametrize(
    "value",
    [
        np.arange(5_000),
        [np.arange(5_000)],
        {"a": pd.DataFrame({"n": range(500)})},
        [pd.Series(range(500))],
        pd.Index(range(5_000)).astype(str),
    ],
)
def test_what_prints_a_part_of_itself_is_reported(value: Any) -> None:
    notes: list[str] = []
    fill("{{ value }}", {"value": value}, notes)
    assert len(notes) == 1
    assert notes[0].startswith("value sent as its ")


@pytest.mark.parametrize("value", [np.arange(5), [1, 2], "…", ["..."], pd.DataFrame({"a": [1]}), 5])
def test_what_is_whole_needs_no_note(value: Any) -> None:
    notes: list[str] = []
    fill("{{ value }}", {"value": value}, notes)
    assert notes == []


def test_rows_left_out_are_said_in_the_run_in_the_line_and_in_a_dry_run(
    shell: Shell, server: ScriptedServer
) -> None:
    shell.ip.push({"frame": pd.DataFrame({"n": range(1_000)})})
    note = "50 of 1,000 rows of frame sent ({{ frame | all_rows }} sends all)"
    shell.ask("%%chat -o run\n{{ frame }}")
    assert shell["run"].notes == [note]
    assert note in shell.cell.outputs[-1]["text/plain"]
    shell.ask("%%chat --dry-run\n{{ frame }}")
    assert note in shell.cell.outputs[-1]["text/plain"]
    shell.ask("%%chat --system '{{ frame }}' -o run\nHi {{ frame | all_rows }}")
    assert shell["run"].notes == [note]
    assert server.requests[-1].body["messages"][-1]["content"].count("\n") == 1_001
    shell.ask("%%chat -o run\n{{ frame | all_rows }}")
    assert shell["run"].notes == []
