"""What the preparation of a request may ask of its surroundings."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from nbchat.client.client import Client
    from nbchat.client.profiles import Profile

#: is told what is waited for. Where a step is given none, it starts nothing and asks nobody
Say = Callable[[str], None] | None


class Conversation(Protocol):
    """What was said before: see `nbchat.session.Thread`."""

    name: str

    def place(self, cell: Hashable) -> int: ...

    def request(
        self,
        new_messages: list[dict[str, Any]],
        *,
        cell: Hashable = None,
        system: str | None = None,
        knows: Callable[[Any], bool] = ...,
    ) -> list[dict[str, Any]]: ...


class Servers(Protocol):
    """The servers of this process, and the conversations with them."""

    def profile(self, named: Any, say: Say = None) -> Profile:
        """Give a profile; with `say` one that is ready to be sent to. Raise ProfileError."""

    def is_running(self, profile: Profile) -> bool:
        """Tell whether this server can be asked without being started."""

    def client(self, profile: Profile) -> Client:
        """Give the client of a profile."""

    def vocabulary_size(self, profile: Profile) -> int | None:
        """Give V of the model that a llama.cpp server has loaded; None elsewhere."""

    def most_tokens(self, profile: Profile) -> int | None:
        """Give how many tokens a reply has at most where no limit is set; None if unknown."""

    def conversation(
        self, named: Any, *, cell: Hashable, fork: bool, is_dry: bool
    ) -> Conversation | None:
        """Give the conversation of this name, or its fork for this cell; None where none is named.

        Where `is_dry`, nothing that lasts is made. Raise CheckError for what is no name.
        """
