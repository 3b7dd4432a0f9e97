"""Polling a LuaHop loop until something has happened, or for a while.

A loop may wake for nothing, and may see a descriptor one poll late, so no test
counts on what one call of `poll` does.  What bounds the polling is a timer of
the loop itself, never the timeout of `poll`, which a loop need not have.  A
loop whose timers do not fire is stopped by the machine's clock.  A number of
calls alone decides nothing: a loop that rounds its waits down may return ten
thousand times for nothing in the last millisecond of a wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from typing import TYPE_CHECKING

from . import guards
from .guards import Guard

if TYPE_CHECKING:
    from looptck.protocols.luahop import Hop

# The guard of `poll_until`, in milliseconds: far more than any loop needs, and
# waited for only by a loop that loses something.
_GUARD_MS = 500

# The guard is split into this many timers, one after the other: a machine that stands
# still for a while makes one of them late, and the polls between serve what came.
_ROUNDS = 3

# Polling that should have ended by itself ends this long after that, in seconds of
# the machine's clock, and not before this many more calls: time also passes while
# the machine runs other processes.
_GRACE = 2.0
_FEWEST_POLLS = 1_000

# Calls that nobody expects are enough to be seen after this many.
_MOST_CALLS = 10


def polls(hop: Hop, milliseconds: float = 0) -> Iterator[None]:
    """Poll again and again: ends *milliseconds* and a grace from now, on the machine's clock.

    The caller leaves the iteration earlier, when it has seen what it waits for.
    """
    left, guard = _FEWEST_POLLS, Guard(milliseconds / 1000 + _GRACE)
    while not guard.is_over or left > 0:
        left -= 1
        yield
        hop.poll()


def poll_until(
    hop: Hop, what: str, done: Callable[[], object], *, within: float = _GUARD_MS
) -> None:
    """Poll until *done()*; raises AssertionError, naming *what*, if it never comes.

    *within* is the guard, in milliseconds.
    """
    fired = 0

    def late() -> None:
        nonlocal fired
        fired += 1
        if fired < _ROUNDS:
            hop.set_timeout({"ms": each}, late)

    each = max(round(guards.guard(within) / _ROUNDS), 1)
    hop.set_timeout({"ms": each}, late)
    for _ in polls(hop, within):
        if done():
            return
        assert fired < _ROUNDS, f"{what}: not within {within} ms of polling"
    raise AssertionError(
        f"{what}: not while poll was called again and again, and returned each time, until a "
        f"timer of {within} ms, which did not run either, was {_GRACE:.0f} s late"
    )


def poll_for(hop: Hop, milliseconds: float, calls: Sized = ()) -> None:
    """Poll until a timer of that length has fired.  Nothing may be ready all the time.

    *calls* is what the test counts calls with: when it grows and grows, the
    polling ends, so that the test can say who should not have been called.
    """
    over: list[bool] = []
    most = len(calls) + _MOST_CALLS
    hop.set_timeout({"ms": milliseconds}, lambda: over.append(True))
    for _ in polls(hop, milliseconds):
        if over or len(calls) > most:
            return
    raise AssertionError(
        f"a timer of {milliseconds} ms did not run while poll was called again and again, and "
        f"returned each time, until the timer was {_GRACE:.0f} s late"
    )


def poll_rounds(hop: Hop, rounds: int) -> None:
    """Poll that many times, or until it is plain that nothing is ready any more."""
    guard: list[bool] = []
    hop.set_timeout({"ms": _GUARD_MS}, lambda: guard.append(True))
    for _ in range(rounds):
        if guard:
            return
        hop.poll()


def error_of(call: Callable[..., object], *args: object) -> BaseException | None:
    """Return the exception that `call(*args)` raised, or None."""
    try:
        call(*args)
    except Exception as error:
        return error
    return None
