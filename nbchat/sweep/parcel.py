"""Rows on their way to a worker: requests that are whole and checked, and no key among them."""

from __future__ import annotations

import pickle
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import msgspec

from nbchat.client.presets import LOCAL
from nbchat.client.profiles import Profile
from nbchat.client.sent_profile import with_keys_of_here, without_keys
from nbchat.errors import CheckError, LocalModelError
from nbchat.request.prepare import Prepared
from nbchat.session.settings import resolved
from nbchat.session.state import STATE
from nbchat.sweep.design import Cell, Row
from nbchat.sweep.folder import Standing
from nbchat.sweep.leases import Lease

#: settings of the driver that hold for its rows wherever they are asked
_SETTINGS = ("timeout", "repair", "max_message_bytes", "prices")
Messages = list[dict[str, Any]]
_RULE = "must be a function that can be sent to another process"


class Sent(msgspec.Struct, frozen=True):
    """A server as it is sent: its number, its profile without the key, and whether it had one."""

    number: int
    profile: Profile
    had_key: bool


class FixedShare(msgspec.Struct, frozen=True, kw_only=True):
    """What a task may send where nobody can lease it anything, and what its rows may cost."""

    lease: Lease
    limit_usd: float | None = None


class Contents(msgspec.Struct):
    """What is in a parcel. Requests of one kind differ in their texts alone: that is sent once.

    - `rows`: the fields of each `nbchat.sweep.design.Row`; `requests`: its index into `texts`
    - `texts`: index into `prepared`, messages, those of them that are new
    - `prepared`: a request of each kind, without its messages; `server_of`: its server's number
    """

    rows: list[tuple[str, int, int, int]]
    requests: list[int]
    texts: list[tuple[int, Messages, Messages]]
    prepared: list[Prepared]
    server_of: list[int]
    servers: list[Sent]
    labels: dict[int, dict[str, Any]]
    before: dict[str, Standing]
    settings: dict[str, Any]


class Parcel(msgspec.Struct, kw_only=True):
    """Rows that one task asks.

    - `run`: the sweep's run that it belongs to; `number`: which of its tasks; `folder`, `name`:
      where its rows are written, and as whose; `tries`: see `nbchat.sweep.runner.Runner`
    - `n_ended`: earlier attempts at this task of which it is known that they send no more
    - `lease_s`: seconds after which one that is lost sends no more
    - `share`: what it may send; None where there are leases
    """

    run: str
    number: int
    folder: str
    name: str
    tries: int
    n_rows: int
    contents: bytes | Contents
    n_ended: int = 0
    lease_s: float = 0.0
    share: FixedShare | None = None

    def __repr__(self) -> str:  # logs show it
        return f"Parcel({self.name!r}, {self.number}, {self.n_rows} rows)"

    @property
    def stem(self) -> str:
        """What the names of its files begin with, the number of the attempt behind it."""
        return f"{self.run}-{self.number:06d}"

    def stems(self, n_attempts: int) -> list[str]:
        """Give what the files of each of its attempts are called by."""
        return [f"{self.stem}-{attempt}" for attempt in range(n_attempts)]


class Wrapping:
    """Wraps rows up. It numbers the servers that they go to.

    `is_here`: they go to threads of this process, which has the keys.
    """

    def __init__(self, labels: Any, standings: Mapping[str, Standing], *, is_here: bool):
        self._is_here = is_here
        self._labels, self._standings = labels, standings
        self._numbers: dict[Hashable, Sent] = {}
        self.profiles: dict[int, Profile] = {}

    def contents(self, cells: list[Cell]) -> bytes | Contents:
        """Give the rows of cells, as bytes where they leave this process.

        Raise CheckError for what cannot be sent, and ProfileError for a key that cannot.
        """
        contents = Contents([], [], [], [], [], [], {}, {}, {})
        places: dict[int, int] = {}
        kinds: dict[tuple[int, int], int] = {}
        for cell in cells:
            for row, prepared in zip(cell.rows, cell.prepared, strict=True):
                place = places.get(id(prepared))
                if place is None:
                    place = places[id(prepared)] = len(contents.texts)
                    kind = self._kind(contents, kinds, prepared)
                    contents.texts.append((kind, prepared.messages, prepared.new_messages))
                contents.rows.append((row.id, row.item, row.point, row.sample))
                contents.requests.append(place)
                if row.point not in contents.labels:
                    contents.labels[row.point] = self._labels(row.point)
                if row.id in self._standings:
                    contents.before[row.id] = self._standings[row.id]
        contents.settings = {name: getattr(STATE.settings, name) for name in _SETTINGS}
        return contents if self._is_here else _pickled(contents)

    def _kind(
        self, contents: Contents, kinds: dict[tuple[int, int], int], prepared: Prepared
    ) -> int:
        """Give where a request's kind is in `contents`, put there where it is a new one."""
        # `with_messages` makes a request of another one, and leaves its params what they are
        key = (id(prepared.params), id(prepared.profile))
        if key not in kinds:
            kinds[key] = len(contents.prepared)
            sent = self.server(prepared.profile)
            if sent not in contents.servers:
                contents.servers.append(sent)
            contents.prepared.append(_light(prepared, sent.profile))
            contents.server_of.append(sent.number)
        return kinds[key]

    def server(self, profile: Profile) -> Sent:
        """Give a server as it is sent. Raise ProfileError where its key cannot be found there."""
        sent = self._numbers.get(profile.identity)
        if sent is None:
            number = len(self._numbers)
            if self._is_here:
                sent = Sent(number, profile, had_key=False)
            else:
                sent = Sent(number, without_keys(profile), had_key=profile.key is not None)
            self._numbers[profile.identity] = sent
            self.profiles[number] = profile
        return sent


class Unwrapped:
    """The rows of a parcel as a `nbchat.sweep.runner.Runner` asks them: a design of those alone.

    Raise `ProfileError` where a key is missing here; `where` names this process.
    """

    def __init__(self, contents: bytes | Contents, *, where: str):
        if isinstance(contents, bytes):
            contents = pickle.loads(contents)  # noqa: S301 - the driver's own, as the task is
        opened: Any = contents
        self._labels, self.before = opened.labels, opened.before
        self._rows = [Row(*fields) for fields in opened.rows]
        self._requests, self._texts = opened.requests, opened.texts
        profiles = {sent.number: _profile_of_here(sent, where) for sent in opened.servers}
        self.numbers = {profile.identity: number for number, profile in profiles.items()}
        self._kinds = [
            _with_profile(prepared, profiles[number])
            for prepared, number in zip(opened.prepared, opened.server_of, strict=True)
        ]
        for name, value in opened.settings.items():
            if getattr(STATE.settings, name) != value:
                setattr(STATE.settings, name, value)

    @property
    def ids(self) -> set[str]:
        return {row.id for row in self._rows}

    def labels(self, point: int) -> dict[str, Any]:
        """Give a point as frames name it."""
        labels: dict[str, Any] = self._labels[point]
        return labels

    def cells(self, *, is_wanted: Any) -> Iterator[Cell]:
        """Give the rows that are wanted, by their ids."""
        last, prepared = -1, None
        for row, request in zip(self._rows, self._requests, strict=True):
            if not is_wanted(row.id):
                continue
            if prepared is None or request != last:
                kind, messages, new_messages = self._texts[request]
                last, prepared = request, _whole(self._kinds[kind], messages, new_messages)
            yield Cell((row,), (prepared,))


def _light(prepared: Prepared, profile: Profile) -> Prepared:
    """Give a request's kind: without messages, what is sent twice, and its profile's key."""
    options: Any = prepared.options
    changes: dict[str, Any] = {
        name: None
        for name in ("profile", "images", "files", "audio_in")
        if getattr(options, name, None) is not None
    }
    changes |= {name: type(value)() for name in ("messages", "fields", "extra")
                if (value := getattr(options, name, None))}  # fmt: skip
    return msgspec.structs.replace(
        prepared,
        messages=[],
        new_messages=[],
        profile=profile,
        body={name: value for name, value in prepared.body.items() if name != "messages"},
        options=msgspec.structs.replace(options, **changes),
    )


def _with_profile(kind: Prepared, profile: Profile) -> Prepared:
    named: Any = LOCAL if profile.name == LOCAL else profile
    options = msgspec.structs.replace(kind.options, profile=named)
    return msgspec.structs.replace(kind, profile=profile, options=options)


def _whole(kind: Prepared, messages: Messages, new_messages: Messages) -> Prepared:
    body = {**kind.body, "messages": messages}
    return msgspec.structs.replace(kind, messages=messages, new_messages=new_messages, body=body)


def _profile_of_here(sent: Sent, where: str) -> Profile:
    if sent.profile.name != LOCAL:
        return with_keys_of_here(sent.profile, had_key=sent.had_key, where=where)
    here = resolved(LOCAL, lambda _: None)
    if here.model != sent.profile.model:
        raise LocalModelError(
            f"{where} serves {here.model} as its embedded model, and the sweep asks "
            f"{sent.profile.model}: a worker serves its own. Give the address of a server instead."
        )
    return here


def _pickled(contents: Contents) -> bytes:
    functions = [(name, tool) for one in contents.prepared[:1] if one.toolbox is not None
                 for name, tool in one.toolbox.tools.items()]  # fmt: skip
    if not functions and all(one.structure is None for one in contents.prepared):
        return pickle.dumps(contents, protocol=pickle.HIGHEST_PROTOCOL)
    for name, tool in functions:
        _function_pickled(name, tool)
    return _dumps(contents)


def _function_pickled(name: str, tool: Any) -> None:
    try:
        _dumps(tool)
    except Exception as error:
        raise CheckError(
            f"The function {name} cannot be sent to a worker: {type(error).__name__}: {error}. "
            "Nothing was sent. What it uses must be values that can be copied to another process "
            "(no open files, locks or connections).",
            field="tools",
            value=name,
            rule=_RULE,
        ) from error


def _dumps(value: Any) -> bytes:
    """Pickle a value with functions, those of a notebook by what is in them."""
    try:
        import cloudpickle
    except ImportError:
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    pickled: bytes = cloudpickle.dumps(value)
    return pickled
