"""A call in Python source as a draft. Nothing of the source is run: its literals are read."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from nbchat.code.curl_command import profile_of_address
from nbchat.errors import CheckError
from nbchat.options import OPTIONS
from nbchat.request.draft import Draft

_CODE_BEGINS = re.compile(r"\s*(?:#|import\s|from\s+\w|@|[A-Za-z_][\w.]*\s*(?:=|\(|:\s*\w))")
_CALLS = re.compile(
    r"(?:\bchat\.completions\.(?:create|parse|stream)|\bnbchat\.(?:a?chat|a?stream|explore)"
    r"|\blitellm\.a?completion|\bChatCompletion\.a?create)\s*\("
)
#: arguments of a client's own, which are no part of the body
_OF_THE_CLIENT = ("api_key", "extra_headers", "extra_query", "base_url", "api_base", "client")


def is_source(text: str) -> bool:
    """Tell whether a text is Python that asks a model, and not a text about such Python."""
    return _CALLS.search(text) is not None and _CODE_BEGINS.match(text) is not None


def read_source(text: str, variables: Mapping[str, Any]) -> Draft:
    """Give the draft of the last call in a source that asks a model.

    Names are what the source sets them to, else those of `variables`. Raise CheckError where
    there is no such call, and for an argument that is no value as it stands.
    """
    try:
        tree = ast.parse(textwrap.dedent(text).strip())
    except SyntaxError as error:
        raise _unreadable(f"line {error.lineno}: {error.msg}") from None
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _asks(node)]
    if not calls:
        raise _unreadable("there is no call in it that asks a model")
    call = max(calls, key=lambda node: (node.lineno, node.col_offset))
    names = _Names(variables, _set_in(tree))
    arguments = dict(_arguments(call, names))
    draft = _of_nbchat(call, arguments, names) if _is_nbchat(call) else _of_client(arguments)
    address = arguments.get("base_url", arguments.get("api_base")) or _address(tree, names)
    if draft.profile is None and isinstance(address, str):
        draft = msgspec.structs.replace(draft, profile=profile_of_address(address))
    return draft


def _asks(call: ast.Call) -> bool:
    name = _dotted(call.func)
    return _CALLS.match(f"{name}(") is not None or _CALLS.search(f".{name}(") is not None


def _is_nbchat(call: ast.Call) -> bool:
    return _dotted(call.func).startswith("nbchat.")


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _of_nbchat(call: ast.Call, arguments: dict[str, Any], names: _Names) -> Draft:
    from nbchat.code.as_draft import draft_of
    from nbchat.request.arguments import as_messages

    prompt = names.value(call.args[0]) if call.args else arguments.pop("prompt", None)
    messages = arguments.pop("messages", None)
    options = {n: v for n, v in arguments.items() if n in OPTIONS() and v is not None}
    rest = {n: v for n, v in arguments.items() if n not in OPTIONS() and n != "live"}
    draft = draft_of(rest)
    turns = as_messages(messages if prompt is None else prompt)
    # what was said before in a conversation is not in the call
    return msgspec.structs.replace(draft, messages=turns, **{**options, "thread": None})


def _of_client(arguments: dict[str, Any]) -> Draft:
    from nbchat.code.as_draft import draft_of

    extra = {**(arguments.get("extra_body") or {})}
    left_out = {*_OF_THE_CLIENT, "extra_body"}
    body = {name: value for name, value in arguments.items() if name not in left_out}
    if "messages" not in body:
        raise _unreadable("the call has no messages")
    try:
        draft = draft_of(body)
    except TypeError as error:
        raise _unreadable(str(error).rstrip(".")) from None
    return msgspec.structs.replace(draft, extra={**draft.extra, **extra})


def _arguments(call: ast.Call, names: _Names) -> Iterator[tuple[str, Any]]:
    for keyword in call.keywords:
        if keyword.arg in ("api_key", "extra_headers", "extra_query", "client"):
            continue  # where it goes, and never as a key
        value = names.value(keyword.value)
        if keyword.arg is not None:
            yield keyword.arg, value
        elif isinstance(value, Mapping):
            yield from value.items()
        else:
            raise _unreadable(f"line {keyword.value.lineno}: ** wants a mapping")


def _address(tree: ast.Module, names: _Names) -> Any:
    """Give the base_url of a client that the source makes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _dotted(node.func).endswith("OpenAI"):
            for keyword in node.keywords:
                if keyword.arg == "base_url":
                    return names.value(keyword.value)
    return None


def _set_in(tree: ast.Module) -> dict[str, ast.expr]:
    assigned: dict[str, ast.expr] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name):
                assigned[target.id] = node.value
    return assigned


class _Names:
    """What names stand for: what the source sets, else the notebook's variables."""

    def __init__(self, variables: Mapping[str, Any], sources: Mapping[str, ast.expr]):
        self._variables = variables
        self._sources = sources

    def value(self, node: ast.expr, within: tuple[str, ...] = ()) -> Any:
        """Give the value of an expression that is data."""
        match node:
            case ast.Constant():
                return node.value
            case ast.List() | ast.Tuple():
                return [self.value(one, within) for one in node.elts]
            case ast.Dict():
                return self._mapping(node, within)
            case ast.Name():
                return self._named(node, within)
            case ast.UnaryOp(op=ast.USub()):
                return -self.value(node.operand, within)
            case ast.BinOp(op=ast.Add()):
                return self._sum(node, within)
            case ast.JoinedStr():
                return "".join(self._written(part, within) for part in node.values)
            case ast.FormattedValue(conversion=-1, format_spec=None):
                return self.value(node.value, within)
            case _:
                raise self._no_value(node)

    def _written(self, part: ast.expr, within: tuple[str, ...]) -> str:
        return str(self.value(part, within))

    def _sum(self, node: ast.BinOp, within: tuple[str, ...]) -> Any:
        one, other = self.value(node.left, within), self.value(node.right, within)
        if type(one) is not type(other) or not isinstance(one, (str, list)):
            raise self._no_value(node)
        return one + other

    def _mapping(self, node: ast.Dict, within: tuple[str, ...]) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for key, entry in zip(node.keys, node.values, strict=True):
            value = self.value(entry, within)
            if key is not None:
                made[self.value(key, within)] = value
            elif isinstance(value, Mapping):
                made.update(value)
            else:
                raise self._no_value(entry)
        return made

    def _named(self, node: ast.Name, within: tuple[str, ...]) -> Any:
        if node.id in self._sources and node.id not in within:
            return self.value(self._sources[node.id], (*within, node.id))
        if node.id in self._variables:
            return self._variables[node.id]
        raise _unreadable(
            f"line {node.lineno}: {node.id} is no value here: write it out, or run the cell "
            "that sets it first"
        )

    @staticmethod
    def _no_value(node: ast.expr) -> CheckError:
        shown = ast.unparse(node)
        short = shown if len(shown) <= 60 else f"{shown[:59]}…"
        return _unreadable(f"line {node.lineno}: {short} would have to be run: write its value")


def _unreadable(reason: str) -> CheckError:
    return CheckError(f"This Python cannot be read as a request: {reason}.", field="messages")
