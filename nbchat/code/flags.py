"""The flags of ``%chat`` and ``%%chat``: each declared field of the request, and nbchat's own.

Reading has two steps. `read_line` says which flags stand there, from the text alone;
`Flags.fields` looks up variables and fills templates, and gives what `nbchat.api.check`
takes once `read_text` has read the texts among it. Types and ranges are not looked at
here: `check` is the only door.
"""

from __future__ import annotations

import difflib
import json
import keyword
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from nbchat.api.fields import FIELDS
from nbchat.api.params import ChatParams
from nbchat.code.lexer import OTHER_DASH, Word, Words
from nbchat.code.notebook_variables import may_be_variable, named, shown_type, values_of
from nbchat.errors import MagicUsageError
from nbchat.nearest import nearest_name
from nbchat.options import OPTIONS, Takes


class OwnFlag(msgspec.Struct, frozen=True):
    """A flag of nbchat's own."""

    name: str
    takes: Takes
    shown: str
    description: str
    short: str = ""


#: flags that are no options of a request, each with the reason why not
CELL_FLAGS: Mapping[str, OwnFlag] = {
    flag.name: flag
    for flag in (
        # in Python the run is what the call gives
        OwnFlag("out", "name", "NAME", "Give the run this name in the notebook.", "o"),
        # in Python a call has no conversation unless it names one
        OwnFlag("stateless", "nothing", "", "Send this cell alone, with no conversation."),
        # the messages and fields of the request itself
        OwnFlag("messages", "json", "VAR_OR_JSON", "Messages that stand before the prompt."),
        OwnFlag("params", "json", "VAR_OR_JSON", "Fields of the request; flags go before them."),
        # the field response_format, spelt for a cell
        OwnFlag("schema", "schema", "NAME_OR_JSON", "Reply with an object: a type or JSON schema."),
        OwnFlag("no-strict", "nothing", "", "Send the schema as it is, not made strict."),
        # in Python texts are not filled in
        OwnFlag("raw", "nothing", "", "Fill in nothing: {{ and {% are text."),
        # in Python it is nbchat.achat
        OwnFlag("background", "nothing", "", "Give the cell back; the reply goes on below it."),
        # in Python nbchat.code shows a request
        OwnFlag("dry-run", "nothing", "", "Show the request, send nothing."),
        # the argument is extra=
        OwnFlag("param", "pair", "KEY=JSON", "A field that only this server knows.", "p"),
    )
}
_ORDER = (
    "out", "thread", "stateless", "fork", "system", "messages", "params", "image", "detail",
    "audio-in", "file", "schema", "no-strict", "confirm", "max-rounds", "raw", "background",
    "dry-run",
)  # fmt: skip


def _option_flags() -> Mapping[str, OwnFlag]:
    flags = {
        option.flag: OwnFlag(option.flag, option.takes, option.shown, option.help, option.short)
        for option in OPTIONS().values()
        if not option.no_flag
    }
    flags.update(CELL_FLAGS)
    last = [name for name in flags if name not in _ORDER and name != "param"]
    return {name: flags[name] for name in (*_ORDER, *last, "param")}


#: in the order of the help
OPTION_FLAGS: Mapping[str, OwnFlag] = _option_flags()
_SHORT = {flag.short: flag for flag in OPTION_FLAGS.values() if flag.short}
_LOOKS_LIKE_FLAG = re.compile(rf"--[A-Za-z]|-(?:{'|'.join(_SHORT)})(?=[\s=]|$)")
_SHOWN_VALUES: Mapping[Takes, str] = {
    "text": "text",
    "name": "a name for a variable",
    "seconds": "a number of seconds",
    "pair": "key=json",
    "schema": "the name of a type, or a JSON schema",
    "count": "a whole number",
    "json": "JSON, or the name of a variable",
    "media": "a path or the name of a variable",
}


class Flags(msgspec.Struct):
    """What stood on the line, before variables and templates were looked up.

    `is_ended`: a ``--`` stood before the text.
    """

    field_words: dict[str, list[Word] | bool]
    option_words: dict[str, list[Word] | bool]
    text: str
    is_ended: bool = False

    def is_set(self, name: str) -> bool:
        """Tell whether a flag of nbchat's own that takes no value was given."""
        return name in self.option_words

    def one(self, name: str, fill: Callable[[str], str]) -> str | None:
        """Give the value of a flag of nbchat's own; None where it was not given."""
        words = self.option_words.get(name)
        return None if not isinstance(words, list) else fill(words[0].text)

    def each(self, name: str, fill: Callable[[str], str]) -> list[str]:
        """Give all values of a flag of nbchat's own that may be repeated."""
        words = self.option_words.get(name)
        return [fill(word.text) for word in words] if isinstance(words, list) else []

    def refuse_other_templates(self, variables: Mapping[str, Any]) -> None:
        """Raise MagicUsageError where a value is a variable as f-strings and shells write it.

        Where a flag takes any text, only the name of a variable that is there is taken for one.
        """
        for name, words in {**self.field_words, **self.option_words}.items():
            for word in words if isinstance(words, list) else ():
                match = _OTHER_TEMPLATE.fullmatch(word.raw)
                variable = next(filter(None, match.groups()), "") if match else ""
                if variable and (variable in variables or not _takes_any_text(name)):
                    flag = "-p" if name == "param" else f"--{name.replace('_', '-')}"
                    raise MagicUsageError(
                        f"{flag} {word.raw}: a variable is filled in as {{{{ {variable} }}}}, "
                        f"so this is typed {flag} {_as_typed(name, variable)}"
                    )

    def name(self) -> str | None:
        """Give the name that the run is to have in the notebook."""
        name = self.one("out", str)
        if name is not None and (not name.isidentifier() or keyword.iskeyword(name)):
            raise MagicUsageError(f"-o takes a name for a variable, and {name!r} is none.")
        return name

    def seconds(self, name: str, fill: Callable[[str], str]) -> float | None:
        """Give the value of a flag that takes a time, in seconds."""
        text = self.one(name, fill)
        if text is None:
            return None
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not 0 < seconds < float("inf"):
            raise MagicUsageError(f"--{name} takes a number of seconds above 0, not {text!r}.")
        return seconds

    def count(self, name: str, fill: Callable[[str], str]) -> int | None:
        """Give the value of a flag that takes a whole number."""
        text = self.one(name, fill)
        if text is not None and not text.isdecimal():
            raise MagicUsageError(f"--{name} takes a whole number, not {text!r}.")
        return None if text is None else int(text)

    def messages(
        self, variables: Mapping[str, Any], fill: Callable[[str], str]
    ) -> list[dict[str, Any]]:
        """Give the messages of ``--messages``, unchecked; empty where there are none."""
        value = self._json("messages", "a list of messages", variables, fill)
        if value is not None and not isinstance(value, (list, tuple)):
            raise MagicUsageError(f"--messages takes a list of messages, not {shown_type(value)}.")
        return [] if value is None else [*value]

    def params(
        self, variables: Mapping[str, Any], fill: Callable[[str], str]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give the fields of ``--params``, values as they are, and those of its `extra`."""
        value = self._json("params", "a mapping of fields", variables, fill)
        if isinstance(value, ChatParams):
            return value.given(), value.extra
        fields = {} if value is None else value
        extra = fields.get("extra") or {} if isinstance(fields, Mapping) else None
        if not isinstance(fields, Mapping) or not isinstance(extra, Mapping):
            wrong = shown_type(extra if isinstance(fields, Mapping) else fields)
            where = " in extra" * isinstance(fields, Mapping)
            raise MagicUsageError(f"--params takes a mapping of fields{where}, not {wrong}.")
        return {name: fields[name] for name in fields if name != "extra"}, dict(extra)

    def _json(
        self, name: str, what: str, variables: Mapping[str, Any], fill: Callable[[str], str]
    ) -> Any:
        text = self.one(name, fill)
        if text is None:
            return None
        if not text.startswith(("[", "{")):
            return named(name, f"{what}, as JSON", text, variables)
        try:
            return json.loads(text)
        except ValueError as error:
            raise MagicUsageError(f"--{name}: this is no JSON ({error}).") from None

    def fields(self, variables: Mapping[str, Any], fill: Callable[[str], str]) -> dict[str, Any]:
        """Give the declared fields: values of variables, or texts that `check` reads."""
        return {
            name: words
            if isinstance(words, bool)
            else values_of(FIELDS()[name], [fill(word.text) for word in words], variables)
            for name, words in self.field_words.items()
        }

    def unchecked(self, fill: Callable[[str], str]) -> dict[str, Any]:
        """Give the fields of ``-p``."""
        extra: dict[str, Any] = {}
        words = self.option_words.get("param", [])
        for word in words if isinstance(words, list) else []:
            key, value = _pair(word, fill)
            if key in extra:
                raise MagicUsageError(f"-p {key} stands there twice.")
            extra[key] = value
        return extra


_OTHER_TEMPLATE = re.compile(r"\{([^\W\d]\w*)\}|\$([^\W\d]\w*)|\$\{([^\W\d]\w*)\}")


def _takes_any_text(name: str) -> bool:
    flag = OPTION_FLAGS.get(name)
    if flag is not None:
        return flag.takes in ("text", "media")
    return "string" in FIELDS()[name].kinds


def _as_typed(name: str, variable: str) -> str:
    flag = OPTION_FLAGS.get(name)
    takes_name = (
        flag.takes in ("json", "schema", "media") if flag else may_be_variable(FIELDS()[name])
    )
    return variable if takes_name else f"{{{{ {variable} }}}}"


def read_line(line: str, *, takes_text: bool) -> Flags:
    """Read the flags at the start of a line; the text behind them is kept as it was typed.

    Raise `MagicUsageError` for an unknown flag, one that is there twice, a missing value, and,
    unless the line `takes_text`, for anything that is no flag.
    """
    words = Words(line)
    flags = Flags({}, {}, "")
    while not (is_ended := words.end_of_flags()):
        name = words.flag()
        if name is None:
            _refuse_other_dash(words)
            break
        _read_flag(words, name, flags)
        words.skip_blanks()
    flags.text, flags.is_ended = words.rest, is_ended
    if flags.text and not takes_text:
        raise MagicUsageError(_unexpected(words))
    return flags


def _read_flag(words: Words, dashed: str, flags: Flags) -> None:
    name, option, is_negated = _named(dashed)
    seen = flags.field_words if option is None else flags.option_words
    if name in seen and not _is_repeatable(name, option):
        raise MagicUsageError(f"{dashed} stands on the line twice.")
    if option is None and FIELDS()[name].kind == "boolean":
        seen[name] = _boolean(words, dashed, is_negated=is_negated)
    elif option is not None and option.takes == "nothing":
        if words.equals():
            raise MagicUsageError(f"{dashed} takes no value.")
        seen[name] = True
    else:
        values = seen.setdefault(name, [])
        if isinstance(values, list):
            values.append(_value(words, dashed, name, option))


def _named(dashed: str) -> tuple[str, OwnFlag | None, bool]:
    """Find the flag of this spelling: its name, its record if it is ours, and if it says no."""
    if not dashed.startswith("--"):
        option = _SHORT.get(dashed[1:])
        if option is not None:
            return option.name, option, False
        raise MagicUsageError(_unknown(dashed))
    name = dashed[2:].replace("_", "-")
    option = OPTION_FLAGS.get(name)
    if option is not None and name != "param":
        return name, option, False
    field = name.replace("-", "_")
    if field in FIELDS():
        return field, None, False
    positive = field.removeprefix("no_")
    if positive != field and positive in FIELDS() and FIELDS()[positive].kind == "boolean":
        return positive, None, True
    raise MagicUsageError(_unknown(dashed))


def _is_repeatable(name: str, option: OwnFlag | None) -> bool:
    if option is not None:
        return option.takes in ("pair", "media")
    field = FIELDS()[name]
    is_list_of_names = field.kind == "list" and bool(field.choices)
    return field.kind == "mapping" or is_list_of_names or {"string", "list"} <= set(field.kinds)


def _boolean(words: Words, dashed: str, *, is_negated: bool) -> Any:
    if not words.equals():
        return not is_negated
    if is_negated:
        raise MagicUsageError(f"{dashed} takes no value.")
    return [words.word()]


def _value(words: Words, dashed: str, name: str, option: OwnFlag | None) -> Word:
    if not words.equals():
        words.skip_blanks()
        if not words.rest or _LOOKS_LIKE_FLAG.match(words.rest):
            what = _SHOWN_VALUES[option.takes] if option else FIELDS()[name].type_text
            hint = f" One that looks like a flag is joined: {dashed}=…" if words.rest else ""
            raise MagicUsageError(f"{dashed} needs a value ({what}).{hint}")
    if option is not None:
        if option.takes in ("schema", "json"):
            return words.json() or words.word()
        return words.pair() if option.takes == "pair" else words.word()
    is_structured = FIELDS()[name].kind in ("mapping", "list", "object", "any")
    return (words.json() if is_structured else None) or words.word()


def _pair(word: Word, fill: Callable[[str], str]) -> tuple[str, Any]:
    # quotes that stand inside the word belong to the JSON
    for text in (word.raw, word.text):
        key, equals, value = text.partition("=")
        if not equals or not key or key[0] in "'\"":
            continue
        filled = fill(value)
        try:
            return key, json.loads(filled)
        except ValueError:
            continue
    key, equals, value = word.text.partition("=")
    if not equals:
        raise MagicUsageError("-p takes key=json, as in -p min_p=0.05.")
    raise MagicUsageError(
        f'-p {key}: the value is no JSON. Text goes in double quotes: -p {key}="…"'
    )


def _known_flags() -> list[str]:
    return [f"--{name.replace('_', '-')}" for name in [*FIELDS(), *OPTION_FLAGS] if name != "param"]


def _unknown(dashed: str) -> str:
    if dashed in ("--help", "-h"):
        return "--help stands alone, as in %chat --help; %%chat? shows the same."
    bare = dashed.lstrip("-").replace("-", "_").lower()
    if bare in ("base_url", "api_base", "url", "client", "provider", "host"):
        return f"There is no flag {dashed}: --profile takes the name or the base URL of a server."
    known = _known_flags()
    meant = f"--{dashed.lstrip('-')}".replace("_", "-").lower()
    near = [flag for flag in known if flag.startswith(meant)]
    near = near or difflib.get_close_matches(meant, known, n=3, cutoff=0.6)
    hint = f" Did you mean {' or '.join(near[:3])}?" if near else ""
    return (
        f"There is no flag {dashed}.{hint} A field that only this server knows is given as "
        "-p key=json; %%chat? lists the flags."
    )


def _refuse_other_dash(words: Words) -> None:
    """Say how a flag is typed that begins with a dash which is no hyphen, as editors make them."""
    typed = OTHER_DASH.match(words.rest)
    if typed is None:
        return
    name = typed[1].replace("_", "-").lower()
    known = {flag.removeprefix("--"): flag for flag in _known_flags()}
    known |= {short: f"-{short}" for short in _SHORT}
    dashed = known.get(name) or known.get(nearest_name(name, known, cutoff=0.8))
    if dashed is None:
        return  # a text can begin with a dash
    raise MagicUsageError(
        f"{typed[0]} begins with a dash that is no hyphen: the flag is typed {dashed}. "
        "(-- before it makes it a part of the prompt.)"
    )


def _unexpected(words: Words) -> str:
    text = words.rest if len(words.rest) <= 40 else words.rest[:39] + "…"
    if re.match(r"(true|false|null)\b", text):
        return f"{text!r} stands alone: a switch takes its value joined, as in --logprobs=false."
    return (
        f"What should {text!r} on the first line be? The prompt goes below it, from the second "
        "line on, and a value with blanks goes in quotes."
    )
