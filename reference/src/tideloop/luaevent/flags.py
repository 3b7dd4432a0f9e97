"""The constants of luaevent, with the numbers of the real library.

The two families share numbers (`EVBUFFER_READ` is `EV_TIMEOUT`), as they do
in the real library: never mix them.
"""

from __future__ import annotations

import operator

from ..arguments import shown
from ..buffered import ErrorFlag
from ..pollers.api import READ, WRITE

# A callback returns LEAVE to cancel its own event.  LEAVE has every bit set in
# two's complement, so it is always compared as a whole before any bit is.
LEAVE = -1  # luaevent.constants.leave-distinct

EV_TIMEOUT = 1  # luaevent.constants.ev-distinct-bits
EV_READ = READ  # luaevent.constants.ev-read
EV_WRITE = WRITE  # luaevent.constants.ev-write
EV_SIGNAL = 8  # luaevent.constants.ev-signal
EV_PERSIST = 16  # luaevent.constants.ev-persist

EVBUFFER_READ: int = ErrorFlag.READ  # luaevent.constants.evbuffer-distinct
EVBUFFER_WRITE: int = ErrorFlag.WRITE
EVBUFFER_EOF: int = ErrorFlag.EOF  # luaevent.constants.evbuffer-eof
EVBUFFER_ERROR: int = ErrorFlag.ERROR  # luaevent.constants.evbuffer-error
EVBUFFER_TIMEOUT: int = ErrorFlag.TIMEOUT  # luaevent.constants.evbuffer-timeout

_KNOWN_FLAGS = EV_READ | EV_WRITE | EV_TIMEOUT | EV_PERSIST  # luaevent.addevent.event-persist


def flag_set(value: object, name: str) -> int:
    """*value* as flags that can be registered, or LEAVE."""
    if isinstance(value, bool):
        raise TypeError(f"{name} must be made of the EV_* flags, not {shown(value)}; pass EV_READ")
    try:
        flags = operator.index(value)  # type: ignore[arg-type]  # checked by the call itself
    except TypeError:
        raise TypeError(
            f"{name} must be an int made of the EV_* flags, not {shown(value)}; pass EV_READ"
        ) from None
    if flags == LEAVE:
        return flags
    if flags < 0:
        raise ValueError(
            f"{name} are {shown(value)}: of all negative numbers only LEAVE means anything;"
            " pass EV_* flags"
        )
    # luaevent.addevent.event-signal
    if flags & EV_SIGNAL:  # luaevent.constants.ev-or-signal
        raise ValueError(
            f"{name} are {shown(value)}: EV_SIGNAL is not available; use Python's signal module"
        )
    if flags & ~_KNOWN_FLAGS:
        raise ValueError(
            f"{name} are {shown(value)}: there is no flag {shown(flags & ~_KNOWN_FLAGS)};"
            " pass EV_* flags"
        )
    return flags
