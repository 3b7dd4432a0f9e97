"""The constants of the documents, with the numbers of the real libraries.

Knows nothing else.  The two families share numbers (`EVBUFFER_READ` is
`EV_TIMEOUT`), as they do in the real library: never mix them.
"""

from __future__ import annotations

# What a callback returns to cancel its own event.  It has every bit set in
# two's complement, so it is always compared as a whole before any bit is.
LEAVE = -1

EV_TIMEOUT = 1
EV_READ = 2
EV_WRITE = 4
EV_SIGNAL = 8
EV_PERSIST = 16

EVBUFFER_READ = 1
EVBUFFER_WRITE = 2
EVBUFFER_EOF = 16
EVBUFFER_ERROR = 32
EVBUFFER_TIMEOUT = 64
