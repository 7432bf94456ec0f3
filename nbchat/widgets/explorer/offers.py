"""What the server in force has to offer: its models, and the fields that only it takes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from nbchat import session
from nbchat.api.server_fields import server_fields, still_wanted
from nbchat.errors import NbchatError
from nbchat.session.server_kind import kind_of
from nbchat.widgets.controls import control_of_server_field

if TYPE_CHECKING:
    from nbchat.client.profiles import Profile
    from nbchat.widgets.explorer.desk import Desk


class Offers:
    """Asks the server in a thread: one that is silent keeps nobody waiting."""

    def __init__(self, desk: Desk):
        self._desk = desk
        desk.on_other_profile = self.offer

    def offer(self) -> None:
        """Tell the pages which models there are, and which fields."""
        name = self._desk.draft.profile
        profile = self._desk.profiles.get(name, name) if name is not None else None

        def ask() -> None:
            try:
                names = session.models(profile, timeout_s=3.0)
            except Exception:  # noqa: BLE001 - the list is a convenience: any name can be typed
                names = []
            kind = _kind(profile)
            fields = server_fields(kind)
            if self._desk.draft.profile != name:
                return
            self._desk.server_fields = [field.name for field in fields]
            self._desk.send(
                {
                    "on": "models",
                    "names": names,
                    "server": kind,
                    "controls": [control_of_server_field(field, kind) for field in fields],
                    "wanted": sorted(still_wanted(kind)),
                }
            )

        threading.Thread(target=ask, name="nbchat-explore-models", daemon=True).start()


def _kind(profile: Any) -> str:
    """Name the kind of server; the name of a profile that comes with nbchat is known at once."""
    try:
        target: Profile = session.current_profile(profile)
        return target.name if target.name in ("openrouter", "ollama", "openai") else kind_of(target)
    except (NbchatError, OSError):
        return "other"
