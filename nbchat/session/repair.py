"""Requests that a server refused for one field, mended: at most once, never silently.

What may be left out or sent under another name is data in `nbchat.api.support`. What a
server refused is remembered for its address, the model and the `reasoning_effort`, on
which the refusal of other fields depends.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from nbchat.api.params import ChatParams
from nbchat.api.support import GOES_WITH, LEFT_OUT, ONLY_WHOLE, REPLACED, refused_here
from nbchat.errors import ApiError, BadRequestError

_UNKNOWN_FIELD = {"unsupported_parameter", "unknown_parameter"}
_REFUSALS = re.compile(
    r"unsupported|not support|n't support|unknown|unrecogni[sz]ed|unexpected|not permitted"
    r"|not allowed|only the default",
    re.IGNORECASE,
)
_ABOUT_A_VALUE = re.compile(r"\bvalues?\b|only the default", re.IGNORECASE)
_FUNCTIONS_AND_REASONING = re.compile(r"function tools? with reasoning_effort", re.IGNORECASE)


class Repair(msgspec.Struct, frozen=True):
    """A field that a server refused, and what is sent in its place (None: nothing)."""

    field: str
    successor: str | None = None
    why: str = ""

    @property
    def note(self) -> str:
        """What was done, in words."""
        if self.successor is not None:
            return f"{self.field} sent as {self.successor}, which this server wants"
        return f"{self.field} left out: {self.why or 'this server refuses it'}"


def repairs_of(error: ApiError, params: ChatParams, model: str) -> list[Repair]:
    """Say how to mend a request that was refused with this error; empty where nothing can be.

    The field that the error names comes first. With it go those which the model's family is
    known to refuse, so that one more try is enough.
    """
    fields_sent = params.given()
    field = _refused_field(error, fields_sent)
    if field is None:
        return []
    known = refused_here(model, fields_sent)
    fields = dict.fromkeys([field, *(name for name in known if _is_mendable(name, fields_sent))])
    repairs = [_repair(name, known.get(name, "")) for name in fields]
    left_out = {r.field for r in repairs if r.successor is None}
    for companion, leader in GOES_WITH.items():
        if leader in left_out and companion in fields_sent and companion not in left_out:
            repairs.append(Repair(companion, None, f"it needs {leader}"))
    return repairs


def repaired(params: ChatParams, repairs: Iterable[Repair]) -> tuple[ChatParams, list[Repair]]:
    """Mend the params of a request; give also those of the repairs that changed something."""
    fields = params.given()
    changes: dict[str, Any] = {}
    done = []
    for repair in repairs:
        if repair.field not in fields or repair.successor in fields:
            continue
        changes[repair.field] = UNSET
        if repair.successor is not None:
            changes[repair.successor] = fields[repair.field]
        done.append(repair)
    return (msgspec.structs.replace(params, **changes) if changes else params), done


def explain(error: ApiError, params: ChatParams, model: str) -> None:
    """Put a sentence that says what to do in the place of a server's message that does not."""
    if not asks_for_no_reasoning(error, params.given()):
        return
    sentence = error.message
    error.message = (
        f"{model or 'This model'} takes functions only while it does not reason: "
        f'add reasoning_effort="none" (--reasoning-effort none). The server said: {sentence}'
    )
    error.args = (error._sentence(),)  # noqa: SLF001


def asks_for_no_reasoning(error: ApiError, fields: Mapping[str, Any]) -> bool:
    """Tell whether functions were refused because the model reasons."""
    has_functions = "tools" in fields or "functions" in fields
    is_off = fields.get("reasoning_effort") == "none"
    if not (isinstance(error, BadRequestError) and has_functions) or is_off:
        return False
    return _FUNCTIONS_AND_REASONING.search(error.message) is not None


def _refused_field(error: ApiError, fields: Mapping[str, Any]) -> str | None:
    if error.status not in (400, 422) or asks_for_no_reasoning(error, fields):
        return None
    is_refused = _REFUSALS.search(error.message) is not None
    if error.code in _UNKNOWN_FIELD:
        is_value = False
    elif error.code == "unsupported_value":
        is_value = True
    elif error.code is None or not error.param:
        # servers that give no code, or one of their own and no name of a field
        if not is_refused:
            return None
        is_value = _ABOUT_A_VALUE.search(error.message) is not None
    else:
        return None
    field = error.param or _named_in(error.message, fields)
    if field is None or not _is_mendable(field, fields):
        return None
    return None if is_value and field in ONLY_WHOLE else field


def _named_in(message: str, fields: Mapping[str, Any]) -> str | None:
    """Name the field of the request that a message mentions first, whole words alone."""
    places = {}
    for name in fields:
        # a name that is an English word counts only where it is marked as a name
        plain = rf"\b{name}\b" if "_" in name else rf"[`'\"]{name}[`'\"]|\b{name}\s*:"
        if match := re.search(plain, message):
            places[match.start()] = name
    return places[min(places)] if places else None


def _is_mendable(name: str, fields: Mapping[str, Any]) -> bool:
    if name not in fields:
        return False
    return name in LEFT_OUT or (name in REPLACED and REPLACED[name] not in fields)


def _repair(field: str, why: str) -> Repair:
    return Repair(field, REPLACED.get(field), why)


class Memory:
    """What servers have refused in this process. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._repairs: dict[Hashable, dict[str, Repair]] = {}
        self._notes: set[Hashable] = set()
        self._lock = threading.Lock()

    def learn(self, base_url: str, model: str, params: ChatParams, repairs: list[Repair]) -> None:
        """Remember what this server refuses of this model."""
        with self._lock:
            known = self._repairs.setdefault(_key(base_url, model, params), {})
            known.update({repair.field: repair for repair in repairs})

    def recall(self, base_url: str, model: str, params: ChatParams) -> list[Repair]:
        """Give what this server has refused of this model."""
        return list(self._repairs.get(_key(base_url, model, params), {}).values())

    def is_new(self, base_url: str, model: str, repair: Repair) -> bool:
        """Tell, once, that nobody was told yet that this field is mended before sending."""
        with self._lock:
            note = (base_url, model, repair)
            is_new = note not in self._notes
            self._notes.add(note)
            return is_new

    def forget(self) -> None:
        """Send everything as it is asked again."""
        with self._lock:
            self._repairs.clear()
            self._notes.clear()


def _key(base_url: str, model: str, params: ChatParams) -> Hashable:
    return base_url, model, params.given().get("reasoning_effort")
