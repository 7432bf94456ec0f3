"""A client whose answers are recorded in a cassette, and in a replay come from it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nbchat.client.client import Client
from nbchat.client.presets import LOCAL
from nbchat.errors import ApiError, HistoryError, NotRecordedError
from nbchat.history.places import Place
from nbchat.session.notebook import current_cell
from nbchat.session.offline import asks_nobody, number_of_run
from nbchat.session.settings import client_of
from nbchat.session.sources import Rewritten
from nbchat.session.state import STATE

if TYPE_CHECKING:
    from nbchat.api.response import Completion
    from nbchat.client.profiles import Profile
    from nbchat.history.cassette import Cassette
    from nbchat.history.step_answer import StepAnswer
    from nbchat.session.sources import Answer


class RecordedClient(Client):
    """See `nbchat.session.in_steps`: what it is asked is a step of an analysis.

    It has no connection of its own, so that a replay needs neither an address nor a key: what has
    to be asked goes through the profile's client.
    """

    def __init__(self, profile: Profile, cassette: Cassette):
        self.profile = profile
        self.refuses_stream_options = False
        self._cassette = cassette

    def body(self, *request: Any, **manners: Any) -> dict[str, Any]:
        if not asks_nobody():
            self.refuses_stream_options = client_of(self.profile).refuses_stream_options
        return super().body(*request, **manners)

    def close(self) -> None: ...

    def ask(
        self, url: str, body: Mapping[str, Any] | None = None, timeout_s: float = 60.0
    ) -> bytes:
        step = _Step(self._cassette, self.profile, url, body or {})
        if asks_nobody():
            return step.recorded(may_repeat=True).data
        try:
            data = client_of(self.profile).ask(url, body, timeout_s)
        except ApiError as error:
            step.keep_refusal(error)
            raise
        step.keep(data)
        return data

    def start_body(self, body: dict[str, Any], **manners: Any) -> Any:
        url = manners.get("url") or self.profile.url
        step = _Step(self._cassette, self.profile, url, body, number=number_of_run.get())
        if asks_nobody():
            return _played(step.recorded(may_repeat=False))
        return _Recording(client_of(self.profile).start_body(body, **manners), step)


class _Step:
    """One question and its place: fixed when it is asked, as that of a run."""

    def __init__(
        self,
        cassette: Cassette,
        profile: Profile,
        url: str,
        body: Mapping[str, Any],
        *,
        number: int | None = None,
    ):
        from nbchat.history.canonical import request_sha256
        from nbchat.session.replay import server_of

        self._cassette = cassette
        self._profile = profile
        self._path = url.removeprefix(profile.base_url).removeprefix(profile.root_url)
        self._sha256 = request_sha256(body, f"{server_of(profile)} {self._path}")
        cell = current_cell()
        place = STATE.places.take(self._sha256, cell.id, cell.execution)
        self._place = place if number is None else Place(cell.id, number)

    def recorded(self, *, may_repeat: bool) -> StepAnswer:
        """Give what the record has for it. Raise `NotRecordedError` where that is nothing.

        What `may_repeat` is a question about the server, to which a later one like it has the
        same answer.
        """
        equal = self._cassette.of_request(self._sha256)
        claim = STATE.claims.claim(self._place, equal)
        if claim is not None:
            return self._cassette.step(claim.id)
        if may_repeat and equal:
            return self._cassette.step(max(record.id for record in equal))
        whom = "the embedded model" if self._profile.name == LOCAL else self._profile.base_url
        raise NotRecordedError(
            f'replay="only": {self._cassette.path.name} does not have what this has to ask {whom} '
            f'at {self._path}. Nothing was sent; replay="auto" asks.'
        )

    def keep_refusal(self, error: ApiError) -> None:
        """Record an error that would come again; one of a busy server would not."""
        if error.status is not None and 400 <= error.status < 500 and error.status != 429:
            self.keep(error)

    def keep(self, came: bytes | Completion | ApiError) -> None:
        """Record what came. A cassette that cannot be written is warned of: nothing is lost."""
        from nbchat.history.redaction import Redaction, known_secrets
        from nbchat.history.step_answer import StepAnswer, what_came
        from nbchat.run import new_id

        step = StepAnswer(
            id=new_id(),
            request_sha256=self._sha256,
            cell=self._place.cell,
            number_in_cell=self._place.number,
            path=self._path,
            **what_came(came, Redaction(known_secrets())),
        )
        try:
            self._cassette.add_step(step, is_first=STATE.settings.replay == "auto")
        except (OSError, HistoryError) as error:
            warnings.warn(
                f"The cassette {self._cassette.path} lacks a step of an analysis: {error}",
                UserWarning,
                stacklevel=2,
            )


class _Recording(Rewritten):
    """An answer that is recorded when it is whole."""

    def __init__(self, answer: Answer, step: _Step):
        super().__init__(answer, lambda completion: completion)
        self._step = step
        self._is_cancelled = False

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from super().__iter__()
        except ApiError as error:
            self._step.keep_refusal(error)
            raise
        if not self._is_cancelled:
            self._step.keep(self.completion)

    def cancel(self) -> None:
        self._is_cancelled = True
        super().cancel()


def _played(step: StepAnswer) -> Any:
    from nbchat.api.response import Completion
    from nbchat.history.played_answer import PlayedAnswer

    if step.error is None:
        return PlayedAnswer(step.answer)

    class Refused(PlayedAnswer):
        def __iter__(self) -> Iterator[Any]:
            step.raise_error()
            return iter(())

    return Refused(Completion())
