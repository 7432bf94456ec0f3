"""Runs that go on from a beginning, each in its own way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nbchat.analysis.branch_by_token_ids import body_of, own_fields
from nbchat.client.client import dressed
from nbchat.session.execution import Playing
from nbchat.session.prepared import streams
from nbchat.session.settings import client_of

if TYPE_CHECKING:
    from nbchat.analysis.prefix import Beginning
    from nbchat.api.response import Completion
    from nbchat.client.profiles import Profile
    from nbchat.client.stream import Stream


class GoingOn(Playing):
    """A run whose reply begins with what is given. `ended`: it is over there, and nothing is sent.

    The reply is whole at any time: what is given, and what has come of the rest.
    """

    def __init__(self, beginning: Beginning, ended: str | None, *arguments: Any):
        super().__init__(*arguments)
        self._beginning = beginning
        self._ended = ended
        self.run.n_begun = len(beginning.table)

    def _chunks(self) -> Iterator[Any]:
        if self._ended is None:
            yield from super()._chunks()
            return
        self.run.completion = self._beginning.ended(self._ended)

    def _whole(self, completion: Completion) -> Completion:
        return self._beginning.completion(completion)


class ByIds(GoingOn):
    """It goes on from token ids."""

    def __init__(self, ids: list[int], *arguments: Any):
        super().__init__(*arguments)
        self._ids = ids

    def _open(self, profile: Profile) -> Stream:
        params = self.run.params
        fields = {**params.given(), **params.extra}
        body = body_of(self._ids, fields, profile.model) | own_fields(params.extra)
        return client_of(profile).start_body(
            dressed(profile, body, streams=streams(params)),
            url=profile.completions_url,
            **self._manners(),
        )


class ByText(GoingOn):
    """It goes on from a message of the assistant that was begun; `extra` is what this needs."""

    def __init__(self, extra: dict[str, Any], *arguments: Any):
        super().__init__(*arguments)
        self._extra = extra

    def _open(self, profile: Profile) -> Stream:
        params = self.run.params
        client = client_of(profile)
        begun = {"role": "assistant", "content": self._beginning.text}
        body = client.body([*self.run.messages, begun], params, streams=streams(params))
        return client.start_body(body | self._extra, **self._manners())
