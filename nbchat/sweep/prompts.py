"""The prompts of a sweep: templates, lists of messages, or functions, filled in row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from nbchat.api.encoded import Encoded
from nbchat.code.filled import filled
from nbchat.errors import CheckError
from nbchat.request.arguments import as_messages

#: a text, a message, a list of messages, or a function of the variables that gives one of these
Prompt = Any
#: the axis that several prompts are
AXIS = "prompt"
_RULE = (
    "must be a text, a list of texts or message lists, a mapping of names to them, or a function"
)


class Prompts(msgspec.Struct, frozen=True):
    """What is asked: one prompt, or several with their names, which are values of an axis."""

    prompts: tuple[Prompt, ...]
    names: tuple[str, ...] | None = None

    def named(self, name: str | None) -> Prompt:
        """Give the prompt of this name; None where there is only one."""
        return self.prompts[0 if self.names is None or name is None else self.names.index(name)]

    @property
    def texts(self) -> list[str]:
        """All texts in which there may be variables."""
        texts: list[str] = []
        for prompt in self.prompts:
            _collect(prompt, texts)
        return texts

    @property
    def has_function(self) -> bool:
        return any(callable(prompt) for prompt in self.prompts)


def read_prompts(prompt: Any) -> Prompts:
    """Read what is asked. Raise CheckError where it is none of the kinds."""
    if callable(prompt) or isinstance(prompt, str) or _is_conversation(prompt):
        return Prompts((prompt,))
    if isinstance(prompt, Mapping) and "role" in prompt:
        return Prompts(([prompt],))
    if isinstance(prompt, Mapping) and prompt:
        return Prompts(tuple(prompt.values()), tuple(str(name) for name in prompt))
    if isinstance(prompt, (list, tuple)) and prompt:
        for place, each in enumerate(prompt):
            if not (isinstance(each, str) or callable(each) or _is_conversation(each)):
                raise CheckError(
                    f"prompt[{place}] is a {type(each).__name__}, but it must be a text or a list "
                    "of messages.",
                    field=f"prompt[{place}]",
                    value=each,
                )
        return Prompts(tuple(prompt), _names(prompt))
    raise CheckError(
        f"The prompt is a {type(prompt).__name__}, but it {_RULE}.",
        field="prompt",
        value=prompt,
        rule=_RULE,
    )


def messages_of(prompt: Prompt, variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give a prompt as messages, its templates filled in. Raise TemplateError or CheckError."""
    if callable(prompt):
        prompt = prompt(dict(variables))
        if not (isinstance(prompt, str) or _is_conversation(prompt)):
            raise CheckError(
                f"The prompt's function gave a {type(prompt).__name__}, but it must give a text or "
                "a list of messages.",
                field="prompt",
                value=prompt,
            )
        return list(as_messages(prompt))  # what a function wrote is no template
    if isinstance(prompt, str):
        return [{"role": "user", "content": filled(prompt, variables)}]
    return [_filled(message, variables) for message in prompt]


def _filled(value: Any, variables: Mapping[str, Any]) -> Any:
    if isinstance(value, Encoded):
        return value
    if isinstance(value, str):
        return filled(value, variables)
    if isinstance(value, Mapping):
        return {
            key: _filled(entry, variables) if key in _FILLED else entry
            for key, entry in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_filled(entry, variables) for entry in value]
    return value


#: keys of messages and their parts in which templates are filled in
_FILLED = ("content", "text", "image_url", "url", "input_audio", "file")


def _collect(prompt: Any, texts: list[str]) -> None:
    if isinstance(prompt, Encoded):
        return
    if isinstance(prompt, str):
        texts.append(prompt)
    elif isinstance(prompt, Mapping):
        for key in _FILLED:
            _collect(prompt.get(key), texts)
    elif isinstance(prompt, (list, tuple)):
        for entry in prompt:
            _collect(entry, texts)


def _is_conversation(prompt: Any) -> bool:
    return (
        isinstance(prompt, (list, tuple))
        and bool(prompt)
        and all(isinstance(message, Mapping) and "role" in message for message in prompt)
    )


def _names(prompts: Sequence[Prompt]) -> tuple[str, ...]:
    """Name prompts by their text, a number behind what is there already."""
    names: list[str] = []
    for place, prompt in enumerate(prompts):
        name = _name(prompt) or f"prompt {place}"
        names.append(name if name not in names else f"{name} #{place}")
    return tuple(names)


def _name(prompt: Prompt) -> str:
    if isinstance(prompt, str):
        text = prompt
    elif callable(prompt):
        text = getattr(prompt, "__name__", "")
    else:
        text = str(prompt[-1].get("content") or "")
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:79]}…"
