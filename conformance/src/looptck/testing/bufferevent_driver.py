"""Runs a test of bufferevents as a script: each `yield` waits for one turn of the base.

This module knows the profile `luaevent-extended` and no rule.  `loop()` does
not return while a bufferevent waits, so a test acts between two turns from
inside the loop: a script is a generator, and an event that is always ready
advances it from one `yield` to the next.

The driver relies on two promises of every loop: that such an event is called
again and again, and that it does not keep the others from being served.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, TypeAlias

from looptck.protocols.luaevent import Event
from looptck.protocols.luaevent_extended import Buffer, LuaeventExtended
from looptck.subjects.call_counter import unwrap

from . import guards
from .channels import Channels, End
from .guards import FEWEST_TURNS, IDLE_TURNS, TURN_PATIENCE, Guard
from .trace import Trace

# A script yields None for one more turn, or the seconds that are to pass.
Script: TypeAlias = Generator[float | None, None, None]
Steps: TypeAlias = Generator[float | None, None, bool]

# A callback of a test gets the bufferevent.
Act: TypeAlias = "Callable[[OwnedBufferEvent], object]"

# A condition that needs time is waited for this long at most, and looked at this
# often, in seconds.
_LATE = 0.6
_LOOK = 0.005

# More calls than this have no end.  A loop that moves one byte at a time makes as
# many calls as there are bytes.
_MOST = 300_000

_WHAT = ("EOF", "ERROR", "TIMEOUT", "READ", "WRITE")


class OwnedBufferEvent:
    """A bufferevent and the only reference to it: `drop` lets go."""

    def __init__(self, made: Any, both: int, channel: End | None = None) -> None:
        self.made = made
        # what was taken from the input so far
        self.taken = bytearray()
        self._both = both
        self._channel = channel

    def __getattr__(self, name: str) -> Any:
        """A function of the bufferevent."""
        return getattr(self.made, name)

    @property
    def input(self) -> Buffer:
        buffer: Buffer = self.made.get_read()
        return buffer

    @property
    def output(self) -> Buffer:
        buffer: Buffer = self.made.get_write()
        return buffer

    @property
    def input_length(self) -> int:
        """The number of bytes in the input."""
        return self.input.length()

    @property
    def output_length(self) -> int:
        """The number of bytes in the output."""
        return self.output.length()

    def take(self, size: int | None = None) -> None:
        """Take the first *size* bytes of the input, or all, and note them as taken."""
        data = self.input.get_data()[:size]
        self.taken += data  # first, since a loop may read on at once
        self.input.drain(len(data))

    def is_(self, argument: object) -> bool:
        """Whether *argument* is the object that `new` returned."""
        return argument is unwrap(self.made)

    def disable_and_drop(self) -> None:
        """Disable both directions and drop the reference.

        A loop that still holds the bufferevent meets the end of its stream.
        """
        with suppress(Exception):
            self.made.disable(self._both)
        self.drop()
        with suppress(Exception):
            if isinstance(self._channel, socket.socket):
                self._channel.shutdown(socket.SHUT_RDWR)

    def drop(self) -> None:
        self.made = None


class BufferEventDriver:
    """The script of one test, on one base.

    Calls of bufferevents are noted in `trace`: ``read``, ``write``, ``error EOF
    READ``.  What a callback or the script asserts fails the test, whatever the
    loop does with exceptions.  At the end of the script every bufferevent is
    disabled and dropped, and `loop()` is to return.
    """

    def __init__(self, luaevent: LuaeventExtended, channels: Channels) -> None:
        self.luaevent = luaevent
        self.base = luaevent.new()
        self.trace = Trace()
        # the flags of the calls of error callbacks, in order
        self.errors: list[int] = []
        self.read = luaevent.EV_READ
        self.write = luaevent.EV_WRITE
        self.both = luaevent.EV_READ | luaevent.EV_WRITE
        # two ends that stay open: the first one can always be written to
        self._room, _ = channels.pair()
        self._script: Script | None = None
        self._events: list[Event] = []
        self._held: list[OwnedBufferEvent] = []
        # how often something moved, and how many calls there were
        self._moves = self._calls = 0
        self._over = False
        self._error: Exception | None = None

    # ---- bufferevents

    def bufferevent(
        self,
        close_all: End,
        read: Act | None = None,
        write: Act | None = None,
        error: Act | None = None,
        *,
        name: str = "",
        base: Any = None,
    ) -> OwnedBufferEvent:
        """A new bufferevent with three callbacks, each of which notes its calls."""
        prefix = f"{name} " if name else ""
        held = OwnedBufferEvent(None, self.both, close_all)

        def on_read(*_arguments: Any) -> None:
            self.trace(f"{prefix}read")
            if read is not None:
                read(held)

        def on_write(*_arguments: Any) -> None:
            self.trace(f"{prefix}write")
            if write is not None:
                write(held)

        def on_error(*arguments: Any) -> None:
            what = flags_argument(arguments)
            self.trace(f"{prefix}error {error_flag_names(self.luaevent, what)}")
            self.errors.append(what)
            if error is not None:
                error(held)

        self._held.append(held)
        held.made = self.luaevent.bufferevent.new(
            self.base if base is None else base,
            close_all.fileno(),
            self.callback(on_read),
            self.callback(on_write),
            self.callback(on_error),
        )
        return held

    def keep(self, made: object) -> OwnedBufferEvent:
        """Hold the bufferevent *made* until the test is over, and end it then."""
        held = OwnedBufferEvent(made, self.both)
        self._held.append(held)
        return held

    def callback(self, act: Callable[..., object]) -> Callable[..., None]:
        """Return a callback that calls *act*; an exception of *act* fails the test."""

        def callback(*arguments: Any) -> None:
            if self._over:
                return
            self._moves += 1
            self._calls += 1
            try:
                if self._calls > _MOST:
                    raise AssertionError(
                        f"the calls do not end; the last were {', '.join(self.trace[-6:])}"
                    )
                act(*arguments)
            except Exception as error:
                self._fail(error)
                raise

        return callback

    def count(self, entry: str) -> int:
        """Return how often *entry* is in the trace."""
        return self.trace.count(entry)

    def count_errors(self, *what: int) -> int:
        """Return the number of calls of error callbacks that had all flags of *what*."""
        return sum(all(flags & flag for flag in what) for flags in self.errors)

    def note_progress(self) -> None:
        """Tell the driver that bytes moved, so that its patience begins anew."""
        self._moves += 1

    # ---- the script

    def run_script(self, script: Callable[[], Script]) -> None:
        """Run *script*, whose first part comes before the loop; raise what the script raises."""
        self._script = script()
        self._set(self._advance())
        try:
            if not self._over:
                self.base.loop()
        except Exception:
            if self._error is None:
                self.close_all()
                raise
        if self._error is not None:
            raise self._error
        if not self._over:
            self.close_all()
            raise AssertionError("loop() returned although an event was registered still")

    def run_idle(self, turns: int = IDLE_TURNS) -> Script:
        """Run this many *turns*, in which a loop may do what it must not."""
        for _ in range(turns):
            yield None

    def until(self, condition: Callable[[], object]) -> Steps:
        """Run turns until *condition* holds; return whether it did in time."""
        turns, seen, guard = 0, self._moves, Guard(TURN_PATIENCE)
        while not condition():
            if seen != self._moves:
                turns, seen = 0, self._moves
                guard.begin()
            elif guard.is_over and turns >= FEWEST_TURNS:
                return False
            yield None
            turns += 1
        return True

    def within_time(self, condition: Callable[[], object], within: float = _LATE) -> Steps:
        """Wait until *condition* holds, *within* seconds at most; return whether it did."""
        for _ in range(math.ceil(guards.guard(within) / _LOOK)):
            if condition():
                return True
            yield _LOOK
        return bool(condition())

    def close_all(self) -> None:
        """Disable and drop everything, so that `loop()` returns."""
        self._over = True
        for held in self._held:
            held.disable_and_drop()
        for event in self._events:
            with suppress(Exception):
                event.close()
        script, self._script = self._script, None
        with suppress(Exception):  # it may be what is running
            if script is not None:
                script.close()

    def _advance(self) -> float | None:
        try:
            if self._script is not None:
                return next(self._script)
        except StopIteration:
            self.close_all()
        except Exception as error:
            self._fail(error)
        return None

    def _set(self, wait: float | None) -> None:
        """Call `_advance` in the next turn, or after *wait* seconds."""
        if self._over:
            return
        luaevent = self.luaevent

        def on_room(_flags: int) -> int:
            wait = None if self._over else self._advance()
            if self._over or wait is not None:
                self._set(wait)
                return luaevent.LEAVE
            return luaevent.EV_WRITE

        def on_time(_flags: int) -> int:
            if not self._over:
                self._set(self._advance())
            return luaevent.LEAVE

        if wait is None:
            event = self.base.addevent(self._room.fileno(), luaevent.EV_WRITE, on_room)
        else:
            event = self.base.addevent(None, luaevent.EV_TIMEOUT, on_time, wait)
        self._events.append(event)

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        self.close_all()


def flags_argument(arguments: tuple[Any, ...]) -> int:
    """Return the flags among the *arguments* of a callback."""
    return next((each for each in arguments if isinstance(each, int)), 0)


def error_flag_names(luaevent: LuaeventExtended, what: int) -> str:
    """Return the names of the EVBUFFER_* flags in *what*."""
    names = [name for name in _WHAT if what & getattr(luaevent, f"EVBUFFER_{name}")]
    return " ".join(names) or "nothing"
