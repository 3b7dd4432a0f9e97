"""The model of levent's events allows and refuses the right calls; no loop takes part."""

from __future__ import annotations

from functools import partial

import pytest

from looptck.models.engine.channel_state import ChannelState, Directions, Kind
from looptck.models.engine.violation import ViolationError
from looptck.models.levent.event_model import EventModel

ZERO = "levent.loop.howmany-zero-bounded"


def made(directions: Directions = Directions.READ, *, started: bool = True) -> EventModel:
    model = EventModel("D", directions, ChannelState(Kind.PAIR))
    if started:
        model.start(by_other=False)
    return model


def refuses(rule: str) -> pytest.RaisesExc[ViolationError]:
    return pytest.RaisesExc(ViolationError, check=lambda error: error.rule == rule)


def missing_call(model: EventModel) -> str:
    missing = model.missing_call()
    return missing.rule if missing else ""


def test_who_is_active_and_ready_is_to_be_called_once_in_a_pass() -> None:
    model = made()
    model.channel.write(1)
    assert missing_call(model) == "levent.newevent.evtype-r"
    model.begin_turn()
    model.called(ZERO)
    model.start(by_other=False)
    with refuses(ZERO):
        model.called(ZERO)


def test_after_a_call_it_may_be_active_and_need_not_be() -> None:
    model = made()
    model.channel.write(1)
    for _ in range(2):
        model.begin_turn()
        model.called(ZERO)
        assert not missing_call(model)
    model.start(by_other=False)
    assert missing_call(model) == "levent.event.start"


@pytest.mark.parametrize(
    "directions, rule",
    [(Directions.READ, "levent.newevent.evtype-r"), (Directions.WRITE, "levent.newevent.evtype-w")],
)
def test_it_is_not_called_when_its_file_is_not_ready(directions: Directions, rule: str) -> None:
    model = made(directions)
    model.channel.full = True
    model.begin_turn()
    with refuses(rule):
        model.called(ZERO)


def test_readiness_that_ended_in_a_pass_may_still_be_told() -> None:
    model = made()
    model.channel.write(1)
    model.begin_turn()
    model.channel.read(0)
    model.called(ZERO)
    model.begin_turn()
    with refuses("levent.newevent.evtype-r"):
        model.called(ZERO)


def test_both_directions_may_be_told_in_two_calls() -> None:
    model = made(Directions.BOTH)
    model.channel.write(1)
    model.begin_turn()
    model.called(ZERO)
    model.called(ZERO)
    with refuses(ZERO):
        model.called(ZERO)


def test_who_is_started_by_another_one_may_be_called_again() -> None:
    model = made()
    model.channel.write(1)
    model.begin_turn()
    model.called(ZERO)
    model.start(by_other=True)
    model.called(ZERO)


def test_who_is_not_active_is_not_called_and_says_by_which_rule() -> None:
    model = made(started=False)
    model.channel.write(1)
    model.begin_turn()
    with refuses("levent.newevent.inactive"):
        model.called(ZERO)
    model.start(by_other=False)
    model.stop()
    with refuses("levent.event.stop"):
        model.called(ZERO)
    model.delete()
    with refuses("levent.event.delete"):
        model.called(ZERO)
    assert not missing_call(model)


def test_a_pass_or_the_next_one_serves_all() -> None:
    model = made()
    model.channel.write(1)
    model.begin_turn()
    model.end_turn(is_served=True)
    model.begin_turn()
    with refuses("levent.loop.howmany-zero"):
        model.end_turn(is_served=True)


def test_who_was_called_or_stopped_meanwhile_was_not_passed_over() -> None:
    model = made()
    model.channel.write(1)
    for act in (partial(model.called, ZERO), model.stop):
        model.start(by_other=False)
        model.begin_turn()
        model.end_turn(is_served=True)
        model.begin_turn()
        act()
        model.start(by_other=False)
        model.end_turn(is_served=True)
