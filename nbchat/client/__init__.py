"""How bytes move: profiles, requests, streams and what becomes of them."""

from nbchat.client.client import Client
from nbchat.client.fold import Fold
from nbchat.client.profiles import Profile, Secret, resolve
from nbchat.client.reader import read_stream
from nbchat.client.stream import Stream, Timeouts

__all__ = ["Client", "Fold", "Profile", "Secret", "Stream", "Timeouts", "read_stream", "resolve"]
