"""Drives a poller: remembers what is watched, and reads its answers.

This module knows the profile `poller` and no rule.  It goes by the machine's
clock, since a poller knows no other.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from looptck.protocols.poller import BOTH, NOTHING, READ, WRITE, Poller

from .guards import Guard

# How long a descriptor may take to be told, in seconds.
_PATIENCE = 2.0

# One `wait` sleeps no longer than this, in seconds, so that a failure is noticed.
_SLICE = 0.1

_NAMES = {NOTHING: "nothing", READ: "reading", WRITE: "writing", BOTH: "both"}


class PollerDriver:
    """A poller under test, and what it was told to watch."""

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self._meanings = getattr(poller, "meanings", range(BOTH + 1))
        # {fd: directions}
        self.watched: dict[int, int] = {}

    def watch(self, fd: int, directions: int) -> None:
        """*fd* is watched for *directions* from now on, whatever it was before."""
        self.poller.change(fd, self.watched.get(fd, NOTHING), directions)
        self.watched[fd] = directions
        if not directions:
            del self.watched[fd]

    def stop(self, fd: int, direction: int) -> None:
        """*fd* is not watched for *direction* any more."""
        if left := self.watched.get(fd, NOTHING):
            self.watch(fd, left & ~direction)

    def forget(self, fd: int) -> None:
        """*fd* is watched no more."""
        self.watch(fd, NOTHING)

    def answer(self, timeout: float | None = 0) -> dict[int, int]:
        """One answer: {fd: its directions}."""
        found: dict[int, int] = {}
        for fd, directions in self.entries(timeout):
            found[fd] = found.get(fd, NOTHING) | directions
            # as a loop does: the number is no descriptor any more, or nobody asked for it
            if not directions or fd not in self.watched:
                self.poller.change(fd, self.watched.pop(fd, NOTHING), NOTHING)
        return found

    def entries(self, timeout: float | None = 0) -> list[tuple[int, int]]:
        """One answer as it came, with directions in the place of words."""
        return [(fd, self._meanings[word]) for fd, word in self.poller.wait(timeout)]

    def told(self, timeout: float | None = 0) -> dict[int, int]:
        """One answer, without the directions that nobody asked for: {fd: directions}."""
        asked = {fd: hit & self.watched.get(fd, 0) for fd, hit in self.answer(timeout).items()}
        return {fd: hit for fd, hit in asked.items() if hit}

    def until(self, what: str, condition: Callable[[dict[int, int]], object]) -> dict[int, int]:
        """Wait again and again until *condition* holds of what is told, which is returned."""
        guard = Guard(_PATIENCE)
        told: dict[int, int] = {}
        while not guard.is_over:
            told = self.told(_SLICE)
            if condition(told):
                return told
        raise AssertionError(f"{what}: not in {_PATIENCE:g} s; last told were {shown(told)}")

    def until_told(self, fd: int, direction: int) -> None:
        """Wait until *fd* was told for *direction*, both of them in one answer or in several."""
        seen = NOTHING

        def is_told(told: dict[int, int]) -> bool:
            nonlocal seen
            seen |= told.get(fd, NOTHING)
            return seen & direction == direction

        self.until(f"descriptor {fd} is told for {_NAMES[direction]}", is_told)

    def until_all_told(self, expected: dict[int, int]) -> None:
        """Wait until all of *expected* were told, in one answer or in several, and nothing else."""
        seen: dict[int, int] = {}

        def is_complete(told: dict[int, int]) -> bool:
            for fd, hit in told.items():
                seen[fd] = seen.get(fd, NOTHING) | hit
                assert not hit & ~expected.get(fd, NOTHING), (
                    f"told were {shown(told)}; ready and watched were {shown(expected)}"
                )
            return seen == expected

        self.until(f"these are told: {shown(expected)}", is_complete)

    def assert_silent(self, fd: int, direction: int, *, times: int = 5) -> None:
        """Raises AssertionError if one of some answers tells *fd* for *direction*."""
        for _ in range(times):
            told = self.told(0.001)
            assert not told.get(fd, 0) & direction, (
                f"descriptor {fd} was told for {_NAMES[direction]}, for which it is not ready "
                f"or not watched; told were {shown(told)}"
            )


def shown(told: dict[int, int]) -> str:
    """Describe the descriptors that were told, for a message."""
    return ", ".join(f"{fd} for {_NAMES[hit]}" for fd, hit in told.items()) or "none"


def seconds_of(act: Callable[[], object]) -> float:
    """How long *act* takes, in seconds of the machine's clock."""
    began = time.monotonic()
    act()
    return time.monotonic() - began


def best_of(times: int, measure: Callable[[], float]) -> float:
    """The smallest of some measurements: a busy machine makes one of them late, not all."""
    return min((measure() for _ in range(times)), default=math.inf)
