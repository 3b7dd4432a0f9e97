"""Worker processes, seen from their parent: code runs where it may hang, spin, crash or exit.

Why the code is the way it is
-----------------------------

1. A process is forked for each task, so that a task costs milliseconds and
   nothing that a loop does reaches the next one.
2. The clock that decides *hung* is read here, in the parent.  Code in C that
   holds the GIL stops every thread of its own process.
3. A hung worker prints its stacks into a file before the parent ends it.
4. The channel is a file of its own, out of the loop's reach, and what is written
   to it is signed.  What the loop does to its standard streams, including
   closing them, is its own affair.  Writing to a file does not wake the parent:
   a pipe tells it that the work is done, or that the process has ended.

What happens in the process itself is in `worker_life`.  Knows no rule, no test and
no pytest: a task is a function.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import IO

from .. import processes
from ..results.verdicts import Activity
from ..testing import guards, trace
from . import own_descriptors as descriptors
from .channel import GarbledError, Receiver, Sender, new_secret
from .messages import Began, MalformedError, Message, WorkDone
from .worker_life import DONE, LAST_COLLECTION, PRINT_STACKS, Work, live

# How long a worker may take to print its stacks, in seconds.
_STACK_TIMEOUT = 0.5

# How long a worker that has closed its channel may take to exit, in seconds.
_EXIT_TIMEOUT = 1.0

# One test may take so many times the hang timeout, as long as it goes on.
_MOST_HANG_TIMEOUTS = 12

# How often a worker from which nothing comes is looked at.
_SAMPLES = 9

# How a worker is described whose channel cannot be trusted.
_FOREIGN_WRITE = "wrote to a descriptor that is not its own, over which verdicts are reported"
_MALFORMED = (
    "sent a report that cannot be read: the loop has changed what reports are made with, "
    "such as a function of the json module"
)


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """How a worker ended."""

    # what had begun last and was not followed by a message; "" if nothing
    unfinished: str
    hung: bool
    # None unless the worker died by itself before it was through
    death: str | None
    activity: Activity | None = None
    stack: str = ""
    trace: tuple[str, ...] = ()
    output: str = ""

    @property
    def is_clean(self) -> bool:
        return not self.hung and self.death is None

    @property
    def unfinished_test(self) -> str:
        """The test during which it ended; "" if it ended in none."""
        return "" if self.unfinished == LAST_COLLECTION else self.unfinished


@dataclass(eq=False)
class Worker:
    """The parent's side of one process."""

    pid: int
    # readable once the work is done or the process has ended
    ended: int
    channel: IO[bytes]
    stacks: IO[bytes]
    output: IO[bytes]
    recorder: trace.Recorder
    hang_timeout: float
    receiver: Receiver
    messages: list[Message] = field(default_factory=list)
    # why the channel can no longer be trusted; "" while it can
    _garbled: str = ""
    _current: str = ""
    _done: bool = False
    # how many bytes of the channel were read
    _taken: int = 0
    _since: float = field(default_factory=time.monotonic)

    @property
    def deadline(self) -> float:
        """When the worker counts as hung, on the monotonic clock.

        Whatever is done puts it off, but not for ever: what goes on and on
        without an end is hung as well.
        """
        hang_timeout = self.hang_timeout * guards.burden()
        last = max(self._since, self.recorder.last_beat())
        return min(last + hang_timeout, self._since + _MOST_HANG_TIMEOUTS * hang_timeout)

    def check_end(self) -> None:
        """Notice when somebody else has written to the pipe that tells of the end."""
        if os.read(self.ended, len(DONE) + 1) not in (DONE, b""):
            self._garbled = _FOREIGN_WRITE

    def read(self) -> None:
        """Take what was written to the channel since the last time."""
        # The process writes at the offset that it shares with us, so we have another.
        while data := os.pread(self.channel.fileno(), 1 << 20, self._taken):
            self._taken += len(data)
            try:
                for message in self.receiver.feed(data):
                    self._take(message)
            except GarbledError:
                self._garbled = _FOREIGN_WRITE
                return
            except MalformedError:
                self._garbled = _MALFORMED
                return

    def _take(self, message: Message) -> None:
        match message:
            case Began(activity, moment):
                self._current, self._since = activity, moment
            case WorkDone():
                self._done = True
            case _:
                self._current, self._since = "", time.monotonic()
                self.messages.append(message)

    def kill(self) -> None:
        """The process and its whole group end at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def end(self, *, hung: bool) -> WorkerExit:
        """Make an end of the process, its group and its files; tell how it ended."""
        self.read()
        activity = self._activity() if hung else None
        if hung:
            self._have_stacks_printed()  # 3
        if self._garbled:
            self.kill()
            os.waitpid(self.pid, 0)
            death = self._garbled
        elif hung or self._done:
            # Its group, too: a grandchild may live on.
            self.kill()
            os.waitpid(self.pid, 0)
            death = None
        else:
            death = self._wait_for_exit()
            self.kill()
        stack = _text(self.stacks) if hung or death else ""
        if activity is Activity.SLEPT and _waits_for_thread(stack):
            activity = Activity.WAITED
        ending = WorkerExit(
            unfinished=self._current,
            hung=hung,
            death=death,
            activity=activity,
            stack=stack,
            trace=self.recorder.last() if hung or death else (),
            output=_text(self.output),
        )
        self._release()
        return ending

    def _wait_for_exit(self) -> str:
        """How the process ended, in words; it may have closed its channel and lived on."""
        pause = 0.0001  # most are gone by now, or within a fraction of a millisecond
        while pause < _EXIT_TIMEOUT:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return describe_status(status)
            time.sleep(pause)
            pause *= 2
        self.kill()
        os.waitpid(self.pid, 0)
        return "closed the descriptor that it reports to"

    def _activity(self) -> Activity:
        """The activity of a worker that sends nothing.

        A process that spins is always ready to run, even where a busy machine
        gives it little time; one that sleeps is not.
        """
        ready = 0
        for _ in range(_SAMPLES):
            ready += processes.is_running(self.pid)
            time.sleep(0.002)
        return Activity.SPUN if ready > _SAMPLES / 2 else Activity.SLEPT

    def _have_stacks_printed(self) -> None:
        """The file of stacks holds them, unless the worker no longer takes signals."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, PRINT_STACKS)
        size, until = 0, time.monotonic() + _STACK_TIMEOUT
        while time.monotonic() < until:
            time.sleep(0.01)
            former, size = size, os.fstat(self.stacks.fileno()).st_size
            if size and size == former:
                return

    def _release(self) -> None:
        descriptors.release(self.ended)
        for file in (self.channel, self.stacks, self.output):
            descriptors.forget(file.fileno())
            file.close()
        self.recorder.close()


def start(work: Work, hang_timeout: float) -> Worker:
    """A new process that runs *work* and ends.

    It is judged hung when nothing comes from it for *hang_timeout* seconds.
    """
    ended, theirs = map(descriptors.out_of_reach, os.pipe())
    channel, stacks, output = _file(), _file(), _file()
    recorder = trace.Recorder()
    secret = new_secret()
    _flush()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        live(work, parent, Sender(channel.fileno(), secret), theirs, stacks, output, recorder)
    descriptors.release(theirs)
    return Worker(pid, ended, channel, stacks, output, recorder, hang_timeout, Receiver(secret))


def _file() -> IO[bytes]:
    """A file without a name, out of reach: a loop is given the same numbers in every run."""
    with tempfile.TemporaryFile() as made:
        return os.fdopen(descriptors.out_of_reach(os.dup(made.fileno())), "w+b")


def _flush() -> None:
    """Write buffered output now; after a fork both processes would write it."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()


def describe_status(status: int) -> str:
    """A `waitpid` status in words: the signal's name, or the exit status."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            return f"was ended by {signal.Signals(number).name}"
        except ValueError:
            return f"was ended by signal {number}"
    return f"exited with status {os.WEXITSTATUS(status)}"


def _waits_for_thread(stack: str) -> bool:
    """Whether the main thread's innermost frame belongs to the threading module."""
    _, _, after = stack.partition("Current thread")
    innermost = after.splitlines()[1:2]
    return any("threading.py" in line or "concurrent/futures" in line for line in innermost)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(20_000).decode(errors="replace").strip()
