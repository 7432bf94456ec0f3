"""How parcels get to workers, and what is told of them meanwhile: Dask, or an Executor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from nbchat.client.profiles import Profile
from nbchat.sweep.done import Done
from nbchat.sweep.leases import Ended, Order, Totals
from nbchat.sweep.parcel import Parcel

if TYPE_CHECKING:
    from nbchat.sweep.cluster import Cluster


class Link(Protocol):
    """How parcels get to workers, and what is told of them meanwhile."""

    #: whether workers are this very process
    is_here: bool

    def open(self, cluster: Cluster) -> None:
        """Get ready. Raise CheckError where there is nobody to work."""

    def n_threads(self) -> int:
        """Give how many parcels may be worked on at once."""

    def add_server(self, number: int, profile: Profile) -> None:
        """Note a server that rows are sent to."""

    def submit(self, parcel: Parcel) -> Any:
        """Send a parcel; give its future."""

    def settled(self, parcel: Parcel, done: Done) -> bool:
        """Note what a parcel cost; tell whether it stopped because its share was too small."""

    def tell(self, order: Order) -> None:
        """Tell all workers to stop."""

    def news(self, parcels: list[Parcel]) -> list[Ended]:
        """Give rows of parcels that are out, where nobody tells of them before their end."""

    def totals(self) -> Totals:
        """Give what workers have sent, as far as it is known."""

    def close(self) -> None:
        """Free what was held."""
