"""The life of a worker process, on its own side.

Why the code is the way it is
-----------------------------

1. It leads a process group of its own.  Ending the group also ends whatever the loop
   under test has started.
2. It prints its stacks into a file at a signal, by `faulthandler`.  That handler is
   written in C and needs no GIL.  (Its watchdog thread would not do: it reads the
   frames of a thread that runs, and now and then crashes a process that merely spins.)
3. What the parent holds for other workers and for its own events is closed here: a
   loop that uses a number which it had closed must not meet them.

Knows no rule, no test and no pytest: a task is a function.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import IO, NoReturn

from ..testing import trace
from . import own_descriptors as descriptors
from .channel import Sender
from .messages import Began, Message, WorkDone

# the signal at which a worker prints its stacks
PRINT_STACKS = signal.SIGUSR2

# A worker writes this to the pipe when its work is done.
DONE = b"."

# The activity of a worker after its work.
LAST_COLLECTION = "the collection of what the tests left behind"

Work = Callable[["Reporter"], None]


class Reporter:
    """The worker's side of the channel."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def begin(self, activity: str, after: Message | None = None) -> None:
        """Tell the parent that *activity* begins, which has the whole hang timeout for itself.

        *after* is sent in the same write.
        """
        if trace.recorder is not None:
            trace.recorder.forget()
        self._sender.send(*([] if after is None else [after]), Began(activity, _now()))

    def send(self, message: Message) -> None:
        self._sender.send(message)


# Bound here, since a loop under test may replace it in `time`.
_now = time.monotonic


def live(
    work: Work,
    parent: int,
    sender: Sender,
    ended: int,
    stacks: IO[bytes],
    output: IO[bytes],
    recorder: trace.Recorder,
) -> NoReturn:
    """The life of a worker; never returns to the caller's stack."""
    status = 1
    try:
        os.setsid()  # 1
        die_with_parent(parent)
        _take_streams(output)
        printed = descriptors.out_of_reach(os.dup(stacks.fileno()))
        descriptors.close_all_but({sender.fd, ended, printed})  # 3
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        faulthandler.enable(file=printed)
        trace.recorder = recorder
        faulthandler.register(PRINT_STACKS, file=printed)  # 2
        reporter = Reporter(sender)
        # Nothing of the parent's is garbage here, and looking for some would copy it.
        gc.freeze()
        work(reporter)
        reporter.begin(LAST_COLLECTION)
        gc.collect()
        reporter.send(WorkDone())
        os.write(ended, DONE)
        status = 0
    except BaseException as error:  # the last frame of this process: it may only exit
        with contextlib.suppress(OSError):
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)


def _take_streams(output: IO[bytes]) -> None:
    """No input, and an output of the worker's own."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    if nothing != 0:
        os.close(nothing)
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  lives as long as the process
    sys.stdout = open(1, "w", 1, closefd=False, errors="replace")  # noqa: SIM115  as stdin
    sys.stderr = open(2, "w", 1, closefd=False, errors="replace")  # noqa: SIM115  as stdin


if sys.platform == "linux":
    import ctypes

    _LIBC = ctypes.CDLL(None, use_errno=True)
    _PR_SET_PDEATHSIG = 1

    def die_with_parent(parent: int) -> None:
        """Have the kernel end this process when *parent* ends, however that comes."""
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before the kernel was told
            os.kill(os.getpid(), signal.SIGKILL)

else:

    def die_with_parent(parent: int) -> None:
        """Nothing on this platform; a parent that is asked to stop ends its workers."""
