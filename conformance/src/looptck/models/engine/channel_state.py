"""Models the channels of a scenario and their readiness.  This module does no I/O.

A channel has a near end, which loops watch, and a far end, which scenarios use.
What a kernel says of the near end follows from what was done on both; where
kernels differ the answer is `MAYBE`, which excuses a call and demands none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, Flag


class Kind(Enum):
    """The files that a channel consists of."""

    PAIR = "pair"  # two connected sockets
    NARROW = "narrow"  # the same, but they take a few bytes and then no more
    SOURCE = "source"  # a pipe; the near end reads
    SINK = "sink"  # a pipe; the near end writes
    LISTENER = "listener"  # a listening socket; "writing" one is a client that connects


class Directions(Flag):
    """The directions in which a near end may be ready."""

    NEITHER = 0
    READ = 1
    WRITE = 2
    BOTH = 3

    def words(self) -> str:
        return {0: "nothing", 1: "read", 2: "write", 3: "read and write"}[self.value]

    @classmethod
    def of(cls, words: str) -> Directions:
        """The directions that `words` gives these words for; all others stand for none."""
        return next((each for each in (cls(1), cls(2), cls(3)) if each.words() == words), cls(0))


@dataclass(frozen=True, slots=True)
class Readiness:
    """The readiness that a kernel must report of a near end, and the one it may report."""

    surely: Directions
    perhaps: Directions


NOT_READY = Readiness(Directions.NEITHER, Directions.NEITHER)


@dataclass(eq=False, slots=True)
class ChannelState:
    """One channel; a method `can_*` says whether the action makes sense now."""

    kind: Kind
    # bytes, or clients, that the near end has not taken yet
    waiting: int = 0
    # the near end takes no more
    full: bool = False
    # the far end sends no more; it is closed altogether
    ended: bool = False
    gone: bool = False
    # how many other files had its number before
    life: int = 0

    @property
    def renewed(self) -> bool:
        return self.life > 0

    @property
    def directions(self) -> Directions:
        """The directions in which a near end of this kind can be watched."""
        return {
            Kind.PAIR: Directions.BOTH,
            Kind.NARROW: Directions.BOTH,
            Kind.SOURCE: Directions.READ,
            Kind.SINK: Directions.WRITE,
            Kind.LISTENER: Directions.READ,
        }[self.kind]

    def can_write(self) -> bool:
        return Directions.READ in self.directions and not self.ended

    def write(self, count: int) -> None:
        self.waiting += count

    def can_read(self) -> bool:
        return Directions.READ in self.directions

    def read(self, count: int) -> int:
        """The near end takes *count*, or all there is if *count* is 0; how much that is."""
        taken = min(count, self.waiting) if count else self.waiting
        self.waiting -= taken
        return taken

    def can_fill(self) -> bool:
        return Directions.WRITE in self.directions and not self.gone and not self.full

    def can_drain(self, *, is_full: bool) -> bool:
        """Whether the far end may take what comes; with *is_full* only if the near end is full."""
        return Directions.WRITE in self.directions and not self.gone and self.full >= is_full

    def can_finish(self) -> bool:
        return self.directions is Directions.BOTH and not self.ended

    def can_hang_up(self) -> bool:
        return self.kind is not Kind.LISTENER and not self.gone

    def hang_up(self) -> None:
        self.ended = self.gone = True

    def renew(self) -> None:
        """The near end is closed, and its number belongs to a new file."""
        self.waiting = 0
        self.full = self.ended = self.gone = False
        self.life += 1

    def readiness(self) -> Readiness:
        surely = perhaps = Directions.NEITHER
        if Directions.READ in self.directions and (self.waiting or self.ended):
            surely |= Directions.READ
        if Directions.WRITE in self.directions:
            if self.gone:
                perhaps |= Directions.WRITE  # writing would fail at once
            elif not self.full:
                surely |= Directions.WRITE
        return Readiness(surely, surely | perhaps)
