"""`check`: the only door to a request. `all_offences` says all that it would refuse."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET

from nbchat.api.explain import Offence, did_you_mean, error_of, nearest, offences, wrong_value
from nbchat.api.fields import FIELDS
from nbchat.api.json_values import NotJsonError, plain, read_flag, read_flags
from nbchat.api.params import ChatParams
from nbchat.api.rules import broken_rules
from nbchat.errors import CheckError

_CREDENTIALS = {"api_key", "apikey", "openai_api_key", "authorization", "bearer"}


def check(
    mapping: Mapping[str, Any] | ChatParams,
    *,
    strict: bool = True,
    extra: Mapping[str, Any] | None = None,
) -> ChatParams:
    """Give the params that a mapping of request fields describes.

    A value of `msgspec.UNSET` counts as not given, None as null. With ``strict=False``
    texts are read as flags are written: ``"0.2"``, ``"true"``, ``"null"``, JSON. numpy
    scalars and arrays are taken. `extra` (or the key of that name) carries fields that
    the reference does not have, and declared ones to be sent unchecked.

    Raises UnknownFieldError for a name that the reference does not have, and CheckError
    for a value or a combination that breaks a rule; both name field, value and rule.
    Rules: Chat Completions reference, request fields and rules between fields.
    """
    values, more, wrong = _read_fields(mapping, extra, strict=strict)
    if wrong:
        raise _error([*wrong, *_wrong(values)])
    try:
        params = msgspec.convert({**values, "extra": more}, ChatParams)
    except msgspec.ValidationError as error:
        wrong = [*_wrong(values)]
        if not wrong:  # the words are msgspec's where our own walk sees nothing
            raise CheckError(str(error)) from error
        raise _error(wrong) from error
    wrong = [*broken_rules(values, more.keys())]
    if wrong:
        raise _error(wrong)
    return params


def all_offences(
    mapping: Mapping[str, Any] | ChatParams,
    *,
    strict: bool = True,
    extra: Mapping[str, Any] | None = None,
) -> list[Offence]:
    """Give every rule that the fields of a request break, each in a sentence of its own.

    Empty where `check` gives params. Rules between fields are looked at among the fields
    that are right in themselves. Raise CheckError where no mapping is given at all.
    """
    values, more, every = _read_fields(mapping, extra, strict=strict)
    every.extend(_wrong(values))
    misnamed = {_name(offence) for offence in every}
    sound = {name: value for name, value in values.items() if name not in misnamed}
    every.extend(broken_rules(sound, {*more, *misnamed}))
    if not every:
        try:
            msgspec.convert({**values, "extra": more}, ChatParams)
        except msgspec.ValidationError as error:
            every.append(Offence(path="", value=None, rule="", sentence=str(error)))
    return every


def read_text(name: str, value: Any) -> Any:
    """Read the text behind a field's flag, or the texts where the flag was repeated.

    Anything else is given back as it is, and so is a text that cannot be read.
    """
    field = FIELDS()[name]
    if isinstance(value, str):
        value = read_flag(value, field)
    elif isinstance(value, list) and all(isinstance(text, str) for text in value):
        value = read_flags(value, field)
    if name == "logit_bias" and isinstance(value, Mapping):
        return {token: _amount(bias) for token, bias in value.items()}
    return value


def _amount(bias: Any) -> Any:
    return read_flag(bias, FIELDS()["n"]) if isinstance(bias, str) else bias


def _read_fields(
    mapping: Mapping[str, Any] | ChatParams, extra: Mapping[str, Any] | None, *, strict: bool
) -> tuple[dict[str, Any], dict[str, Any], list[Offence]]:
    """Give the declared fields and the unchecked ones, plain, and what is no such thing."""
    fields, unchecked = _apart(mapping, extra)
    wrong = [*_credentials([*fields, *unchecked]), *_unknown(fields)]
    values: dict[str, Any] = {}
    for name in [name for name in fields if name in FIELDS()]:
        try:
            values[name] = _read(name, fields[name], strict=strict)
        except NotJsonError as error:
            wrong.append(wrong_value(error.path, error.value, error.rule))
    wrong.extend(_clashes(fields, unchecked))
    more: dict[str, Any] = {}
    try:
        more = plain(unchecked, "extra")
    except NotJsonError as error:
        wrong.append(wrong_value(error.path, error.value, error.rule))
    return values, more, wrong


def _apart(
    mapping: Mapping[str, Any] | ChatParams, extra: Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    if isinstance(mapping, ChatParams):
        mapping = {**mapping.given(), "extra": mapping.extra}
    if not isinstance(mapping, Mapping):
        raise _error([wrong_value("params", mapping, "a mapping of field names to values")])
    fields = {name: value for name, value in mapping.items() if value is not UNSET}
    unchecked: dict[str, Any] = {}
    for more in (fields.pop("extra", None), extra):
        if more is not None and not isinstance(more, Mapping):
            raise _error([wrong_value("extra", more, "a mapping of field names to values")])
        unchecked.update(more or {})
    return fields, unchecked


@lru_cache(maxsize=1024)
def is_credential(name: Any) -> bool:
    """Tell whether a field of this name would hold a key."""
    return str(name).lower().replace("-", "_") in _CREDENTIALS


def _credentials(names: Iterable[Any]) -> Iterator[Offence]:
    for name in names:
        if is_credential(name):
            rule = "belongs to the profile and never into a request"
            sentence = f"{name} {rule}: it would be shown and recorded with it."
            # the value stays out of the error, which a notebook may keep
            yield Offence(path=str(name), value=None, rule=rule, sentence=sentence, is_unknown=True)


def _unknown(fields: Mapping[str, Any]) -> Iterator[Offence]:
    for name in fields:
        if name in FIELDS():
            continue
        if name == "messages":
            sentence = "messages stand beside the params, not among them."
            near: tuple[str, ...] = ()
        else:
            near = nearest(name, FIELDS())
            sentence = (
                f"{name} is not a field of the request.{did_you_mean(near)}"
                " A field that only this server knows goes into extra={...}."
            )
        yield Offence(
            path=str(name),
            value=fields[name],
            rule="unknown name",
            sentence=sentence,
            is_unknown=True,
            nearest=near,
        )


def _clashes(fields: Mapping[str, Any], extra: Mapping[str, Any]) -> Iterator[Offence]:
    for name in extra:
        if name == "messages" or name in fields:
            rule = "cannot be given a second time through extra"
            sentence = f"{name} {rule}."
            yield Offence(path=f"extra.{name}", value=extra[name], rule=rule, sentence=sentence)


def _read(name: str, value: Any, *, strict: bool) -> Any:
    value = plain(value if strict else read_text(name, value), name)
    if name == "logit_bias" and isinstance(value, dict):
        return {str(token_id): bias for token_id, bias in value.items()}  # ids are numbers to most
    return value


def _wrong(values: Mapping[str, Any]) -> Iterator[Offence]:
    for name, value in values.items():
        field = FIELDS()[name]
        if value is None and field.nullable:
            continue
        for offence in offences(value, field.hint, name):
            if field.kind != "choice" or not isinstance(value, str):
                yield offence
                continue
            more = (
                f"{offence.sentence} A value that only this server knows goes into extra={{...}}."
            )
            yield msgspec.structs.replace(offence, sentence=more)


def _error(wrong: list[Offence]) -> CheckError:
    _first, *rest = dict.fromkeys(_name(offence) for offence in wrong)
    return error_of(wrong[0], rest)


def _name(offence: Offence) -> str:
    return offence.path.split(".")[0].split("[")[0]
