"""What scenarios may ask of a loop, and where the choices of their authors come from."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from enum import Enum
from typing import Protocol, TypeVar

from hypothesis import strategies as st

from looptck.subjects.implementation import Implementation

T = TypeVar("T")


class Feature(Enum):
    """What a loop may lack, by the rules that then do not apply to it."""

    TWO_LOOPS = ("luaevent.new.independent", "luahop.module.new")
    NESTED = ("luaevent.loop.nested-other",)
    CLOSE_BASE = ("luaevent.close.exists", "luaevent.close.not-in-loop")
    DROP = ("luaevent.addevent.gc-erases",)
    SAME_CHANNEL = ("luaevent.addevent.same-fd",)
    BOTH_DIRECTIONS = ("luaevent.constants.ev-or-capture",)
    CHANGE = ("luaevent.callback.output-change",)
    NEW_TIMEOUT = ("luaevent.callback.newtimeout-value",)
    HANG_UP = ("luaevent.constants.ev-read-disconnect", "luahop.listener.eof-pipe")
    RENEW = ("luahop.listener.fd-reuse-same-poll",)
    INTERVALS = ("luahop.timer.interval-repeat", "luahop.timer.interval-missed")
    POLL_FOR = ("luahop.poll.timeout-vs-timer", "luahop.poll.timeout-arg")
    SECONDS = ("luahop.timer.units-s",)
    STOP = ("levent.bufevent.stop",)
    DELETE = ("levent.bufevent.delete",)
    MARKS = ("levent.newevbuf.watermarks-exist",)
    HIGH_MARK = ("levent.buffer.read-highwater",)
    WRITE_MARK = ("levent.buffer.write-lowwater",)
    PUT = ("levent.bufevent.write",)
    LINES = ("levent.bufevent.readline", "levent.bufevent.readline-none")
    END = ("levent.newevbuf.data-before-eof",)
    EVENT_WRITE = ("levent.newevent.evtype-w",)
    EVENT_BOTH = ("levent.newevent.evtype-rw",)
    EVENT_STOP = ("levent.event.stop",)
    EVENT_DELETE = ("levent.event.delete", "levent.event.delete-invalid")
    SAME_FILE = ("levent.newevent.creates",)
    WAIT = ("levent.loop.howmany-positive",)
    RUN = ("levent.loop.nil",)


def features_of(implementation: Implementation, known: Collection[str] = ()) -> frozenset[Feature]:
    """What scenarios may ask of *implementation*, which is known to break the rules *known*."""
    return frozenset(
        feature
        for feature in Feature
        if not any(
            rule_id in known or implementation.why_unsupported(rule_id) for rule_id in feature.value
        )
    )


class Choices(Protocol):
    """Where the choices come from."""

    def number(self, low: int, high: int) -> int:
        """From *low* to *high*, both included."""

    def pick(self, choices: Sequence[T]) -> T: ...


class RandomChoices:
    """Choices by chance, the same for the same seed."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def pick(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)


class HypothesisChoices:
    """Choices by hypothesis."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def number(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))

    def pick(self, choices: Sequence[T]) -> T:
        return self._draw(st.sampled_from(choices))
