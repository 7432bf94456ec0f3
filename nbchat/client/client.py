"""The client: requests out, chunks and completions in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import msgspec
import requests

from nbchat.api.check import check
from nbchat.api.encoded import plain_text
from nbchat.api.messages import check_messages
from nbchat.api.params import ChatParams, request_body
from nbchat.api.response import Completion
from nbchat.client import http_answers, retry, waiting
from nbchat.client.addresses import is_loopback
from nbchat.client.connections import Adapter, HttpAnswer, KeptRequest
from nbchat.client.http_answers import FAILED, transport_error
from nbchat.client.presets import LOCAL
from nbchat.client.profiles import Profile, resolve
from nbchat.client.sse import MOST_BYTES
from nbchat.client.stream import Stream, Timeouts, most_bytes
from nbchat.errors import CheckError, NbchatError, ProfileError
from nbchat.version import __version__

#: what is asked of an answer that comes as it is written: compression holds tokens back
_STREAMED = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
#: connections that stay open: as many as a sweep may have requests at once
_MOST_KEPT = 512


class Client:
    """A connection to the server of one profile, kept open between requests.

    `profile` is a `Profile`, or what `nbchat.client.resolve` takes: a name or a base URL.
    `max_retries` is how often a request is tried again, at most, before the first content
    has come. `on_wait` is told of each pause before a retry. `max_message_bytes` is the most
    that one event of a stream, or a whole answer, may have. Safe to use from several threads at
    once.
    """

    def __init__(
        self,
        profile: Profile | str,
        *,
        timeout: float | Timeouts | None = None,
        max_retries: int = 4,
        max_wait_s: float = 600.0,
        on_wait: Callable[[retry.Wait], None] | None = None,
        max_message_bytes: int = MOST_BYTES,
    ):
        self.profile = resolve(profile) if isinstance(profile, str) else profile
        self.timeouts = Timeouts.of(timeout)
        self.max_retries = retry.checked(max_retries)
        self.max_wait_s = max_wait_s
        self.on_wait = on_wait
        self.max_message_bytes = checked_size(max_message_bytes)
        self.refuses_stream_options = False
        self._session = requests.Session()
        self._adapter = Adapter(pool_maxsize=_MOST_KEPT)
        self._session.mount(self.profile.base_url, self._adapter)
        # once for the session, not for each request: it costs more than sending does
        settings = self._session.merge_environment_settings(
            self.profile.url, {}, stream=True, verify=None, cert=None
        )
        self._verify = settings["verify"] or True
        self._cert = settings["cert"]
        self._proxies = proxies_of(self.profile, settings["proxies"])
        self._session.trust_env = False  # no .netrc in the place of the key
        self._whole = KeptRequest(self._prepared("POST", self.profile.url))
        self._streamed = KeptRequest(self._prepared("POST", self.profile.url, **_STREAMED))

    def complete(
        self,
        messages: str | Sequence[Mapping[str, Any]],
        params: ChatParams | Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Completion:
        """Send a request and wait for the whole answer.

        Raise `CheckError` before anything is sent, `ApiError` and `TransportError` after.
        """
        with self.start(messages, _checked(params, fields), streams=False) as stream:
            for _ in stream:
                pass
            return stream.completion

    def stream(
        self,
        messages: str | Sequence[Mapping[str, Any]],
        params: ChatParams | Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Stream:
        """Prepare a streamed request: iterate over the result for its chunks.

        Nothing is sent before the first chunk is asked for. Use it in a ``with`` statement,
        so that the connection is closed when the loop is left early.
        """
        return self.start(messages, _checked(params, fields), streams=True)

    def start(
        self,
        messages: str | Sequence[Mapping[str, Any]],
        params: ChatParams,
        *,
        streams: bool,
        timeout: float | Timeouts | None = None,
        max_retries: int | None = None,
        on_wait: Callable[[retry.Wait], None] | None = None,
    ) -> Stream:
        """Prepare a request whose params are checked already, with settings of its own."""
        return self.start_body(
            self.body(messages, params, streams=streams),
            timeout=timeout,
            max_retries=max_retries,
            on_wait=on_wait,
            adds_usage=params.stream_options is msgspec.UNSET,
        )

    def start_body(
        self,
        body: dict[str, Any],
        *,
        url: str | None = None,
        timeout: float | Timeouts | None = None,
        max_retries: int | None = None,
        on_wait: Callable[[retry.Wait], None] | None = None,
        adds_usage: bool = False,
    ) -> Stream:
        """Prepare a request whose body is whole, to `url` (None: where completions are asked)."""
        return Stream(
            self,
            body,
            url=url,
            timeouts=self.timeouts if timeout is None else Timeouts.of(timeout),
            max_retries=self.max_retries if max_retries is None else max_retries,
            on_wait=on_wait or self.on_wait,
            adds_usage=adds_usage,
        )

    def body(
        self, messages: str | Sequence[Mapping[str, Any]], params: ChatParams, *, streams: bool
    ) -> dict[str, Any]:
        """Give the body exactly as it is sent."""
        return wire_body(
            self.profile,
            messages,
            params,
            streams=streams,
            asks_usage=not self.refuses_stream_options,
        )

    def models(self, timeout_s: float = 5.0) -> list[str]:
        """Ask the server for the names of its models. Raises what `ask` raises."""
        return http_answers.model_names(self.ask(self.profile.models_url, timeout_s=timeout_s))

    def tokenize(self, text: str, timeout_s: float = 10.0) -> list[tuple[int, str]]:
        """Ask a llama.cpp server for the tokens of a text: their ids and their texts.

        Raise `ApiError` where the server has no such address. Bytes that are not whole
        characters stand as ``\\xNN``.
        """
        body = {"content": text, "add_special": False, "parse_special": False, "with_pieces": True}
        return http_answers.token_pieces(
            self.ask(f"{self.profile.root_url}/tokenize", body, timeout_s)
        )

    def ask(
        self, url: str, body: Mapping[str, Any] | None = None, timeout_s: float = 60.0
    ) -> bytes:
        """Ask another address of this server, and give the answer's bytes.

        A `body` is posted as JSON; without one it is a GET. Sent once, with the profile's key.
        Raise `ApiError` for an error status, `TransportError` where no answer came within
        `timeout_s` seconds.
        """
        try:
            return self._answer(url, body, timeout_s)
        except NbchatError as error:
            http_answers.redact(error, self.profile)
            raise

    def _answer(self, url: str, body: Mapping[str, Any] | None, timeout_s: float) -> bytes:
        request = self._prepared("GET" if body is None else "POST", url)
        if body is not None:
            request.body = msgspec.json.encode(body, enc_hook=plain_text)
            request.headers["Content-Length"] = str(len(request.body))
        timeout = (min(timeout_s, self.timeouts.connect_s), timeout_s)
        limit = most_bytes(body or {}, self.max_message_bytes)
        started = time.perf_counter()
        with self._sent(request, timeout) as response:
            if response.status_code >= 300:
                raise http_answers.api_error(response, self.profile)
            left_s = timeout_s - (time.perf_counter() - started)
            try:
                return http_answers.whole_body(response, left_s, limit)
            except FAILED as error:
                waited_s = time.perf_counter() - started
                failure = transport_error(error, self.profile, waited_s, timeout)
        raise failure

    def open(
        self,
        method: str,
        url: str,
        *,
        timeout_s: float,
        body: Iterable[bytes] = (),
        size: int = 0,
        content_type: str = "application/json",
    ) -> HttpAnswer:
        """Ask another address of this server once, and give the answer with its body unread.

        `body` is sent in pieces of `size` bytes together, from its beginning again where a
        connection was found closed. Raises what `ask` raises.
        """
        request = self._prepared(method, url)
        if size:
            request.body = body  # type: ignore[assignment]  # urllib3 sends what it iterates over
            request.headers.update({"Content-Type": content_type, "Content-Length": str(size)})
        response = self._sent(request, (min(timeout_s, self.timeouts.connect_s), timeout_s))
        if response.status_code >= 300:
            with response:
                raise http_answers.api_error(response, self.profile)
        return response

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.profile!r})"

    def send(
        self, body: Mapping[str, Any], timeouts: Timeouts, *, streams: bool, url: str | None = None
    ) -> HttpAnswer:
        """Send one request, once, and give the answer with its body unread.

        Raise `ApiError` for an error status, `TransportError` where no answer came.
        """
        data = msgspec.json.encode(body, enc_hook=plain_text)
        kept = self._streamed if streams else self._whole
        if url is not None:
            kept = KeptRequest(self._prepared("POST", url, **(_STREAMED if streams else {})))
        timeout = (timeouts.connect_s, timeouts.first_byte_s)
        response = self._tried(lambda: self._again(kept, data, timeout), timeout)
        if response.status_code >= 300:
            with response:
                raise http_answers.api_error(response, self.profile)
        return response

    def _again(self, kept: KeptRequest, data: bytes, timeout: tuple[float, float]) -> HttpAnswer:
        """Send a request on an open connection, else on a new one."""
        if not self._proxies:
            verify, cert = self._verify, self._cert
            response = self._adapter.ask(kept, data, timeout[1], verify=verify, cert=cert)
            if response is not None:
                return response
        request = kept.request.copy()
        request.body = data
        request.headers["Content-Length"] = str(len(data))
        return self._by_requests(request, timeout)

    def _prepared(self, method: str, url: str, **more: str) -> requests.PreparedRequest:
        headers = {
            "User-Agent": f"nbchat/{__version__}",
            "Content-Type": "application/json",
            **self.profile.request_headers(),
            **more,
        }
        try:
            return self._session.prepare_request(requests.Request(method, url, headers=headers))
        except (requests.RequestException, ValueError):
            pass  # the libraries' own words may show the key that stands in the headers
        raise ProfileError(f"{self.profile!r} has an address that cannot be used.")

    def _sent(self, request: requests.PreparedRequest, timeout: tuple[float, float]) -> HttpAnswer:
        return self._tried(lambda: self._by_requests(request, timeout), timeout)

    def _by_requests(
        self, request: requests.PreparedRequest, timeout: tuple[float, float]
    ) -> requests.Response:
        return self._adapter.send(
            request,
            stream=True,
            timeout=timeout,
            verify=self._verify,
            cert=self._cert,
            proxies=self._proxies,
        )

    def _tried(self, send: Callable[[], HttpAnswer], timeout: tuple[float, float]) -> HttpAnswer:
        """Send, and once more where the connection was found closed.

        Raise `TransportError` where no answer came.
        """
        for is_last in (False, True):
            started = time.perf_counter()
            try:
                return send()
            except FAILED as error:
                waited_s = time.perf_counter() - started
                failure = transport_error(error, self.profile, waited_s, timeout)
                is_stale = http_answers.is_stale_connection(error, waited_s)
                if is_last or not is_stale or waiting.is_cut():
                    break
        raise failure  # outside of what was caught, on which the request and its key hang


def checked_size(max_message_bytes: int) -> int:
    """Give a bound in bytes as it is. Raise CheckError where it is none."""
    if type(max_message_bytes) is not int or max_message_bytes <= 0:
        rule = "must be a whole number of bytes above 0"
        raise CheckError(
            f"max_message_bytes is {max_message_bytes!r}, but it {rule}.",
            field="max_message_bytes",
            value=max_message_bytes,
            rule=rule,
        )
    return max_message_bytes


def proxies_of(profile: Profile, of_the_environment: Mapping[str, str]) -> dict[str, str]:
    """Give the proxies for a profile, by scheme: its own, else those of the environment.

    No proxy of the environment stands between this machine and itself, where nothing is
    encrypted: it would read the prompt and the key.
    """
    if profile.proxy is not None:
        return {"http": profile.proxy, "https": profile.proxy}
    if profile.name == LOCAL or is_loopback(profile.base_url):
        return {}
    return dict(of_the_environment)


def wire_body(
    profile: Profile,
    messages: str | Sequence[Mapping[str, Any]],
    params: ChatParams,
    *,
    streams: bool,
    asks_usage: bool = True,
) -> dict[str, Any]:
    """Give the body of a request: what was asked, the profile's model, and how it comes."""
    body = request_body(check_messages(messages), params)
    return dressed(profile, body, streams=streams, asks_usage=asks_usage)


def dressed(
    profile: Profile, body: dict[str, Any], *, streams: bool, asks_usage: bool = True
) -> dict[str, Any]:
    """Give a body with what is not asked for but needed: the profile's model, how it comes."""
    if "model" not in body and profile.model:
        body = {"model": profile.model, **body}
    if not streams:
        return {n: v for n, v in body.items() if n not in ("stream", "stream_options")}
    body = {**body, "stream": True}
    if asks_usage and profile.includes_usage:
        body.setdefault("stream_options", {"include_usage": True})
    return body


def _checked(params: ChatParams | Mapping[str, Any] | None, fields: dict[str, Any]) -> ChatParams:
    if isinstance(params, ChatParams) and not fields:
        return params
    values = params.given() if isinstance(params, ChatParams) else dict(params or {})
    extra = {**(params.extra if isinstance(params, ChatParams) else {}), **fields.pop("extra", {})}
    return check({**values, **fields}, extra=extra)
