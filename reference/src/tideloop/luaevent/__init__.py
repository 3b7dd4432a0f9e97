"""The API of the luaevent document, in Python.

Where the document is open, this is what holds here: the timeout of a
descriptor's event is delivered as ``EV_TIMEOUT | what is registered``; if the
descriptor is ready in that same turn, readiness wins.  A callback that raises
ends `Base.loop`; the event stays, and so does everything else.
"""

from __future__ import annotations

from ..arguments import Descriptor
from . import buffer, bufferevent
from .base import Base, Entry, Event, entry, new
from .event import Answer
from .flags import (
    EV_PERSIST,
    EV_READ,
    EV_SIGNAL,
    EV_TIMEOUT,
    EV_WRITE,
    EVBUFFER_EOF,
    EVBUFFER_ERROR,
    EVBUFFER_READ,
    EVBUFFER_TIMEOUT,
    EVBUFFER_WRITE,
    LEAVE,
)

__all__ = [
    "EVBUFFER_EOF",
    "EVBUFFER_ERROR",
    "EVBUFFER_READ",
    "EVBUFFER_TIMEOUT",
    "EVBUFFER_WRITE",
    "EV_PERSIST",
    "EV_READ",
    "EV_SIGNAL",
    "EV_TIMEOUT",
    "EV_WRITE",
    "LEAVE",
    "Answer",
    "Base",
    "Descriptor",
    "Entry",
    "Event",
    "buffer",
    "bufferevent",
    "entry",
    "new",
]
