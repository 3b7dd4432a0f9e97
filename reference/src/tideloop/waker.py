"""A pipe that ends the sleep of a turn.  Knows no loop, no poller and no call.

A change that comes while a turn sleeps, or is about to, must end that sleep:
a signal handler runs in the middle of the wait, and Python then goes on
waiting with the old timeout (PEP 475).  So `asleep` is set before the turn
decides how long to wait, and whoever changes something calls `nudge`.

One window is left: a signal that arrives after the last look at pending
handlers and before the system call.  Its handler runs when the wait is over.
Only C code can write then: `catch_signals` lends the pipe to
`signal.set_wakeup_fd`, while `run` runs in the main thread, and if the program
has no wakeup descriptor of its own.

Python tells of that descriptor only when it is replaced, and never whether it
was set with `warn_on_full_buffer`.  So the program's own is replaced and put
back at once, without the warning, and gets the signals that came in between.
"""

from __future__ import annotations

import os
import signal
from _thread import RLock  # `threading` costs a program that has none 2 ms at its start
from contextlib import suppress
from functools import partial
from typing import ClassVar

_NO_FD = -1

_set_wakeup_fd = partial(signal.set_wakeup_fd, warn_on_full_buffer=False)


class Waker:
    """`wake` and `nudge` are safe from any thread and signal handler; a late one does nothing."""

    # the pipes that `set_wakeup_fd` was lent, the innermost `run` last
    lent: ClassVar[list[Waker]] = []

    __slots__ = ("_write", "asleep", "closed", "fd", "lock", "pending")

    def __init__(self) -> None:
        self.fd, self._write = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write, False)
        self.closed = False
        # whether a change must end the sleep of a turn
        self.asleep = False
        # whether a byte is in the pipe already
        self.pending = False
        # Held while the pipe is written, read or closed: after `close` its numbers may
        # be those of other files.  A handler may come in while its thread holds it.
        self.lock = RLock()

    def wake(self) -> None:
        """The wait that runs, or else the next one, returns at once."""
        if not self.pending:
            with self.lock:
                if not self.closed:
                    with suppress(BlockingIOError):  # full: it is readable all the more
                        os.write(self._write, b"\0")
                    self.pending = True

    def nudge(self) -> None:
        """End the sleep of the turn, if there is one."""
        if self.asleep:
            self.asleep = False
            self.wake()

    def drain(self) -> None:
        """Take back every `wake` up to now."""
        with self.lock:
            try:
                if not self.closed:
                    os.read(self.fd, 65536)
            except BlockingIOError:
                pass
            finally:  # a signal handler may raise
                self.pending = False

    def catch_signals(self) -> None:
        """Each signal with a handler wakes from now on, until `release_signals`, if possible."""
        expected = Waker.lent[-1]._write if Waker.lent else _NO_FD
        try:
            # not a plain call, after which a signal handler could raise
            [before] = map(_set_wakeup_fd, (self._write,))
        except ValueError:  # not the main thread: handlers do not run in it
            return
        if before == expected:
            Waker.lent.append(self)
        else:
            _set_wakeup_fd(before)
            self._hand_on(before)

    def release_signals(self) -> None:
        """Give back what `catch_signals` took, unless the program has taken it meanwhile."""
        if self not in Waker.lent:  # forked meanwhile
            return
        Waker.lent.remove(self)
        below = Waker.lent[-1]._write if Waker.lent else _NO_FD
        [now] = map(_set_wakeup_fd, (self._write,))
        if now == self._write:
            _set_wakeup_fd(below)
        else:
            _set_wakeup_fd(now)
            self._hand_on(now)

    def _hand_on(self, fd: int) -> None:
        """Write to *fd*, the program's own, the signals that came while it was replaced."""
        with self.lock:
            try:
                came = os.read(self.fd, 65536)
            except BlockingIOError:
                return
            self.pending = False
            self.wake()
            if signals := came.replace(b"\0", b""):
                with suppress(OSError):  # full, or closed: Python would have lost them too
                    os.write(fd, signals)

    def close(self) -> None:
        """Give back the pipe.  Twice is harmless."""
        with self.lock:
            if not self.closed:
                self.closed = True
                os.close(self.fd)
                os.close(self._write)

    def abandon(self) -> None:
        """In a forked child: give back the child's copies of the pipe, write nothing.

        The thread that held the lock may not exist here.
        """
        self.lock = RLock()
        if Waker.lent:
            ours = [waker._write for waker in Waker.lent]
            Waker.lent.clear()
            if (now := signal.set_wakeup_fd(_NO_FD)) not in ours:
                _set_wakeup_fd(now)
        self.close()
