"""Runs scenarios of the poller contract."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace

from looptck.subjects.subject import Subject
from looptck.testing.poller_driver import PollerDriver

from ..engine.channel_runner import ChannelRunner
from ..engine.channel_state import ChannelState, Directions, Kind
from ..engine.runner import Action
from ..engine.scenario import Actor, Scenario, Step
from .model import Interest, PollerModel

# Each of a few ready numbers is told in far fewer answers, also by a poller that tells
# one at a time and answers nothing now and then.
_MOST_ANSWERS = 100


class PollerRunner(ChannelRunner):
    rule_of_return = "poller.budget.zero"
    rule_of_data = rule_of_descriptors = "poller.close.gives-back"

    def __init__(self, scenario: Scenario, subject: Subject, patience: float) -> None:
        super().__init__(scenario, subject, patience)
        # each answer counts as a call
        self.most_calls = _MOST_ANSWERS * (len(scenario.steps) + 1)
        self._model = PollerModel()
        # {name: the number and the state of the file} of the duplicates that are open
        self._duplicates: dict[str, tuple[int, ChannelState]] = {}

    def open(self) -> None:
        super().open()
        self._poller = PollerDriver(self.ask("new()", self.entry.new, "poller.wait.ready"))

    def act(self, each: Step, inside: object) -> Action:
        if each.verb in ("answer", "wait"):
            return self._answer if each.verb == "answer" else self._wait
        if each.verb == "lose":
            return self._lose(each.channel)
        name = each["name"]
        actor = self.scenario.actors.get(name)
        if actor is None or actor.channel not in self.channels:
            return None
        if each.verb == "watch":
            return self._watch(name, actor, Directions.of(each.get("way", "")))
        if each.verb == "close":
            return self._close(name, removes_late="then remove it" in each)
        is_open = actor.kind == "descriptor" or name in self._duplicates
        return (lambda: self._remove(self._file(name, actor)[0])) if is_open else None

    def _watch(self, name: str, actor: Actor, way: Directions) -> Action:
        is_duplicate = actor.kind == "duplicate"
        state = self.channels[actor.channel]
        directions = way or state.directions
        if not self.can_watch(actor, directions) or (is_duplicate and state.kind is Kind.LISTENER):
            return None

        def watch() -> None:
            number, state = self._file(name, actor)
            interest = Interest(name, state, directions, is_duplicate)
            try:
                try:
                    self._poller.watch(number, directions.value << 1)
                except FileNotFoundError:
                    if not self._model.is_stale(number):
                        raise
                    self._remove(number)
                    self._poller.watch(number, directions.value << 1)
            except Exception as error:
                raised = f"watching {name} raised {type(error).__name__}: {error}"
                self.refuse(interest.rule_if_silent(directions), raised, "it is watched")
            self._model.watch(number, interest)

        return watch

    def _file(self, name: str, actor: Actor) -> tuple[int, ChannelState]:
        """Return the number of an actor and the state of its file; open it if it is closed."""
        near, state = self.open_channels[actor.channel].near, self.channels[actor.channel]
        if actor.kind == "descriptor":
            return near, state
        if name not in self._duplicates:
            self._duplicates[name] = os.dup(near), state
        return self._duplicates[name]

    def _remove(self, number: int) -> None:
        def remove() -> None:
            self._poller.poller.change(number, self._poller.watched.pop(number, 0), 0)

        self.ask("change() to nothing", remove, "poller.change.removal-never-raises")
        self._model.remove(number)

    def _close(self, name: str, *, removes_late: bool) -> Action:
        if name not in self._duplicates:
            return None

        def close() -> None:
            number, _ = self._duplicates.pop(name)
            if not removes_late:
                self._remove(number)
            os.close(number)
            self._remove(number)  # once more raises nothing either

        return close

    def _lose(self, channel: int) -> Action:
        """Another file gets the number; a duplicate would keep the first one alive for it."""
        state = self.channels.get(channel)
        if state is None or any(kept is state for _, kept in self._duplicates.values()):
            return None

        def lose() -> None:
            state.renew()
            self.open_channels[channel].renew()
            self._model.lose(self.open_channels[channel].near)

        return lose

    # ---- answers

    def _answer(self) -> None:
        answer = self.ask("wait(0)", self._poller.entries, self.rule_of_return)
        entries = [(number, Directions(word >> 1)) for number, word in answer]
        told = [f"{self._model.name_of(number)} for {hit.words()}" for number, hit in entries]
        with self.calling(f"told are {', '.join(told) or 'none'}"):
            self._model.answered(entries)
        for number, hit in entries:
            # as a loop does: it is no descriptor any more, or nobody asked for it
            if not hit or number not in self._poller.watched:
                self._remove(number)

    def _wait(self) -> None:
        self._model.begin()
        for _ in range(_MOST_ANSWERS):
            self._answer()
            if self._model.is_settled:
                return
        self.tell(self._model.check_complete, _MOST_ANSWERS)

    # ---- ends

    def can_forget(self, number: int) -> bool:
        return True

    def forget(self, number: int) -> None:
        """Remove the near end of a channel, whose duplicates keep its file, hung up."""
        self._remove(self.open_channels[number].near)
        state = self.channels[number]
        for name, (duplicate, kept) in self._duplicates.items():
            if kept is state:
                left = replace(state, ended=True, gone=True)
                self._duplicates[name] = duplicate, left
                if (interest := self._model.interests.get(duplicate)) is not None:
                    interest.state = left

    def close_subject(self) -> None:
        self._poller.poller.close()

    def close_own(self) -> None:
        for number, _ in self._duplicates.values():
            with suppress(OSError):
                os.close(number)
        super().close_own()
