"""The API of a poller: the part of a loop that asks the kernel which descriptors are ready.

Directions are ints: `READ`, `WRITE`, both of them together, or `NOTHING`.  A
*word* is the int by which a poller says that a descriptor is ready.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

NOTHING = 0
READ = 2
WRITE = 4
BOTH = READ | WRITE

ENTRY_NAMES = ("new",)
LOOP_NAMES = ("change", "wait", "close")


class Poller(Protocol):
    """One way to ask the kernel.

    A poller may have a sequence `meanings`: the directions that each word stands for, by
    index.  Without it a word is the directions themselves.
    """

    def change(self, fd: int, old: int, new: int) -> object:
        """*fd*, which was watched for *old*, is watched for *new* from now on.

        With *new* `NOTHING` it never raises.  Otherwise a number that is no open
        descriptor, a regular file and a folder raise OSError, and nothing has
        changed.  FileNotFoundError, where *old* is not `NOTHING`: the number was
        closed and stands for another file now; start again from `NOTHING`.
        """

    def wait(self, timeout: float | None) -> Sequence[tuple[int, int]]:
        """Sleep until a descriptor is ready or *timeout* seconds have passed.

        None: for ever; 0: not at all.  The result has a pair for each descriptor
        that is ready: its number and a word.  A hang-up or an error counts as
        ready in both directions.  Readiness is a level: it is told in each call
        for as long as it holds.  The word for `NOTHING` says that the number is
        no open descriptor any more.
        """

    def close(self) -> object:
        """Give back what the poller opened itself.  Closing twice is harmless."""


class PollerModule(Protocol):
    """The entry object."""

    def new(self) -> Poller:
        """A fresh poller that watches nothing."""
