"""A request as a call of the package openai."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbchat.api.encoded import Encoded, plain_text
from nbchat.api.fields import FIELDS
from nbchat.client.presets import PRESETS
from nbchat.code.as_draft import body_of, draft_of, profile_of
from nbchat.code.inline_data import as_code, base64_in
from nbchat.code.python_call import argument
from nbchat.redact import looks_secret, names_secret
from nbchat.request.draft import Draft

if TYPE_CHECKING:
    from nbchat.client.profiles import Profile

#: what nbchat adds so that it can show a reply while it comes
_STREAMING = ("stream", "stream_options")
_NO_MODEL = "# the package wants a model's name; this server takes any"


def as_openai(draft: Draft | Any, profile: Profile | None = None) -> str:
    """Give Python that sends the request with the package openai.

    `draft` can be anything that `nbchat.code.draft_of` takes; `profile` stands in the place of
    its own. The key stands in its variable. Base64 that came from a file is made of it again
    when the code runs. Raise ProfileError where the profile is unknown.
    """
    draft = draft_of(draft)
    target = profile_of(draft) if profile is None else profile
    body = body_of(draft, target)
    for name in _STREAMING:
        if name not in draft.fields:
            body.pop(name, None)
    client = _client(target)
    call = {name: value for name, value in body.items() if name in FIELDS() or name == "messages"}
    extra = {name: value for name, value in body.items() if name not in call}
    names_a_model = "model" in call
    arguments = {"model": call.pop("model", "any"), "messages": call.pop("messages"), **call}
    if extra:
        arguments["extra_body"] = extra
    code = [f"    {argument(name, _written(value))}," for name, value in arguments.items()]
    shown = "for chunk in completion:\n    print(chunk)"
    if arguments.get("stream") is not True:
        shown = "print(completion.choices[0].message.content)"
    return "\n".join(
        [
            *_imports(client, body),
            "",
            f"client = OpenAI({client})",
            *([] if names_a_model else [_NO_MODEL]),
            "completion = client.chat.completions.create(",
            *code,
            ")",
            shown,
        ]
    )


def _imports(client: str, body: dict[str, Any]) -> list[str]:
    reads = any(data.path is not None for data in base64_in(body))
    return [
        *(["import base64"] if reads else []),
        *(["import os"] if "os.environ" in client else []),
        *(["from pathlib import Path"] if reads else []),
        *([""] if reads or "os.environ" in client else []),
        "from openai import OpenAI",
    ]


def _client(profile: Profile) -> str:
    """Give the arguments of the client that goes where the profile goes."""
    arguments: dict[str, Any] = {}
    if profile.base_url != PRESETS["openai"].base_url:
        arguments["base_url"] = profile.base_url
    has_key = profile.key is not None or profile.key_variable is not None
    key = as_code(f"os.environ[{profile.key_variable or 'OPENAI_API_KEY'!r}]")
    headers: dict[str, Any] = {
        name: as_code(f"os.environ[{name.upper().replace('-', '_')!r}]")
        if names_secret(name) or looks_secret(value)
        else value
        for name, value in profile.headers.items()
    }
    if not has_key:
        arguments["api_key"] = "none"
    elif profile.key_header != "Authorization":
        arguments["api_key"] = "none"
        headers[profile.key_header] = key
    elif profile.key_variable not in (None, "OPENAI_API_KEY"):
        arguments["api_key"] = key
    if headers:
        arguments["default_headers"] = headers
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


def _written(value: Any) -> Any:
    """Give a value whose repr makes what is attached from a file of that file again."""
    if isinstance(value, Encoded):
        if value.path is None:
            return plain_text(value)
        head = value[: value.find(",") + 1] if value.startswith("data:") else ""
        data = f"base64.b64encode(Path({value.path!r}).read_bytes()).decode()"
        return as_code(f"{head!r} + {data}" if head else data)
    if isinstance(value, dict):
        return {key: _written(entry) for key, entry in value.items()}
    return [_written(entry) for entry in value] if isinstance(value, list) else value
