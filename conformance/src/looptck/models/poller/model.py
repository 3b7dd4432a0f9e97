"""The model of a poller: the numbers that an answer must, may and must not tell.

It does no I/O.  Readiness is a level and follows from the state of the channel.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..engine.channel_state import ChannelState, Directions, Kind, Readiness
from ..engine.violation import ViolationError

NEITHER, READ, WRITE = Directions.NEITHER, Directions.READ, Directions.WRITE

# Some answers may speak of a direction that nobody asked for; not so many in a row.
_MOST_UNASKED = 20

# So many answers at least show that nothing comes that must not.
_FEWEST_ANSWERS = 3


@dataclass(eq=False, slots=True)
class Interest:
    """One number and the directions that it is watched for, or was before it was removed."""

    name: str
    state: ChannelState
    asked: Directions
    is_duplicate: bool = False
    # another file has the number now, and the poller was not told of it
    is_stale: bool = False
    has_changed: bool = False
    was_told: bool = False
    # answers in a row that told only directions that nobody asked for
    unasked: int = 0

    def readiness(self) -> Readiness:
        found = self.state.readiness()
        if self.state.kind is Kind.SINK and self.state.gone:
            return Readiness(WRITE, Directions.BOTH)
        return Readiness(found.surely, Directions.BOTH if self.state.gone else found.perhaps)

    @property
    def must(self) -> Directions:
        """The directions for which it has to be told."""
        return NEITHER if self.is_stale else self.readiness().surely & self.asked

    def rule_if_silent(self, missing: Directions) -> str:
        """Return the rule that is broken if it is not told for *missing*."""
        if self.state.gone and WRITE in missing:
            return "poller.wait.error-wakes-both"
        if self.state.ended and READ in missing:
            return "poller.wait.end"
        if self.was_told:
            return "poller.wait.level"
        if self.is_duplicate:
            return "poller.change.duplicate"
        if self.state.renewed:
            return "poller.change.reuse"
        return "poller.change.adds" if self.has_changed else "poller.wait.ready"

    def rule_if_told(self) -> str:
        """Return the rule that is broken if it is told although it is not ready."""
        if self.state.renewed and not self.is_duplicate:
            return "poller.change.reuse"
        return "poller.change.adds" if self.has_changed else "poller.wait.not-ready"


class PollerModel:
    """Is told of changes and answers; raises ViolationError."""

    def __init__(self) -> None:
        # {number: its interest}, removed ones too
        self.interests: dict[int, Interest] = {}
        # {number: directions for which it was not told yet}, and the answers since then
        self._missing: dict[int, Directions] = {}
        self._answers = 0

    def watch(self, number: int, interest: Interest) -> None:
        """*number* is watched as *interest* says."""
        former = self.interests.get(number)
        if former is not None:
            interest.has_changed = bool(former.asked)
            # only a change that widens or narrows has to notice it (poller.change.closed)
            interest.is_stale = former.is_stale and former.asked == interest.asked
        self.interests[number] = interest

    def remove(self, number: int) -> None:
        if number in self.interests:
            self.interests[number].asked = NEITHER
            self.interests[number].is_stale = False

    def lose(self, number: int) -> None:
        """Another file has *number*, and the poller was not told of it."""
        if number in self.interests:
            self.interests[number].is_stale = bool(self.interests[number].asked)

    def is_stale(self, number: int) -> bool:
        return number in self.interests and self.interests[number].is_stale

    def name_of(self, number: int) -> str:
        found = self.interests.get(number)
        return found.name if found else f"descriptor {number}, never watched,"

    def begin(self) -> None:
        """From now on each ready number has to be told once."""
        self._answers = 0
        self._missing = {number: each.must for number, each in self.interests.items()}

    def answered(self, entries: list[tuple[int, Directions]]) -> None:
        """An answer came."""
        self._answers += 1
        numbers = [number for number, _ in entries]
        for number, hit in entries:
            name, times = self.name_of(number), numbers.count(number)
            if number not in self.interests:
                self._refuse("poller.wait.not-ready", name, hit)
            if times > 1:
                self._refuse("poller.wait.one-entry", f"{name}, {times} times in an answer,", hit)
            interest = self.interests[number]
            self._told(interest, hit)
            self._missing[number] = self._missing.get(number, NEITHER) & ~hit
        for number, interest in self.interests.items():
            if number not in numbers:
                interest.unasked = 0

    def _told(self, interest: Interest, hit: Directions) -> None:
        told, ready = hit & interest.asked, interest.readiness()
        if interest.is_stale or not (interest.asked or hit):
            return
        if not interest.asked:
            self._refuse("poller.change.removal", f"{interest.name}, which was removed,", hit)
        if told & ~ready.perhaps:
            self._refuse(interest.rule_if_told(), interest.name, hit)
        if not hit:
            self._refuse("poller.wait.ready", interest.name, hit)
        if told and interest.must & ~told:
            self._refuse("poller.wait.one-entry", interest.name, hit)
        interest.unasked = 0 if told else interest.unasked + 1
        if interest.unasked >= _MOST_UNASKED:
            self._refuse("poller.change.adds", f"{interest.name}, again and again,", hit)
        interest.was_told = interest.was_told or bool(told)

    def _refuse(self, rule: str, who: str, hit: Directions) -> None:
        raise ViolationError(rule, f"{who} is told for {hit.words()}", self.may_happen())

    @property
    def is_settled(self) -> bool:
        """Whether all that must be told was told, and nothing is left to be looked at."""
        is_open = any(each.asked and each.unasked for each in self.interests.values())
        return self._answers >= _FEWEST_ANSWERS and not any(self._missing.values()) and not is_open

    def check_complete(self, answers: int) -> None:
        """Refuse if a ready number was left out of all *answers*."""
        for number, missing in self._missing.items():
            if missing:
                interest = self.interests[number]
                what = f"{interest.name}, in none of {answers} answers,"
                self._refuse(interest.rule_if_silent(missing), what, missing)

    def may_happen(self) -> list[str]:
        """The directions for which numbers must be told now, for people."""
        return [
            f"{each.name} is told for {each.must.words()}"
            for each in self.interests.values()
            if each.must
        ] or ["an answer with nothing that is watched"]
