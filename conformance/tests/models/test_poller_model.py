"""The model of the poller contract allows and refuses the right answers; no poller takes part."""

from __future__ import annotations

import pytest

from looptck.models.engine.channel_state import ChannelState, Directions, Kind
from looptck.models.engine.violation import ViolationError
from looptck.models.poller.model import Interest, PollerModel

NEITHER, READ, WRITE, BOTH = Directions.NEITHER, Directions.READ, Directions.WRITE, Directions.BOTH

# The number that the only descriptor has.
FD = 5


def watching(state: ChannelState, asked: Directions, former: Directions = NEITHER) -> PollerModel:
    """A model of one descriptor, A, which is watched for *asked*, before that for *former*."""
    model = PollerModel()
    if former:
        model.watch(FD, Interest("A", state, former))
    model.watch(FD, Interest("A", state, asked))
    model.begin()
    return model


def refuses(rule: str) -> pytest.RaisesExc[ViolationError]:
    return pytest.RaisesExc(ViolationError, check=lambda error: error.rule == rule)


SILENT = ChannelState(Kind.PAIR, full=True)
WITH_INPUT = ChannelState(Kind.PAIR, waiting=1)
ENDED = ChannelState(Kind.PAIR, full=True, ended=True)
GONE = ChannelState(Kind.PAIR, ended=True, gone=True)
NO_READER = ChannelState(Kind.SINK, full=True, ended=True, gone=True)
RENEWED = ChannelState(Kind.PAIR, full=True, life=1)
RENEWED_WITH_INPUT = ChannelState(Kind.PAIR, waiting=1, life=1)


@pytest.mark.parametrize(
    "state, asked, former, hit, rule",
    [
        (SILENT, READ, NEITHER, READ, "poller.wait.not-ready"),
        (ENDED, BOTH, NEITHER, BOTH, "poller.wait.not-ready"),
        (SILENT, READ, BOTH, READ, "poller.change.adds"),
        (RENEWED, READ, NEITHER, READ, "poller.change.reuse"),
        (WITH_INPUT, BOTH, NEITHER, READ, "poller.wait.one-entry"),
        (WITH_INPUT, BOTH, NEITHER, NEITHER, "poller.wait.ready"),
        (WITH_INPUT, NEITHER, READ, READ, "poller.change.removal"),
    ],
)
def test_a_wrong_answer_is_refused_by_its_rule(
    state: ChannelState, asked: Directions, former: Directions, hit: Directions, rule: str
) -> None:
    model = watching(state, asked, former)
    with refuses(rule):
        model.answered([(FD, hit)])


@pytest.mark.parametrize(
    "state, asked, rule",
    [
        (WITH_INPUT, READ, "poller.wait.ready"),
        (ENDED, READ, "poller.wait.end"),
        (NO_READER, WRITE, "poller.wait.error-wakes-both"),
        (RENEWED_WITH_INPUT, READ, "poller.change.reuse"),
    ],
)
def test_a_number_left_out_is_refused_by_its_rule(
    state: ChannelState, asked: Directions, rule: str
) -> None:
    model = watching(state, asked)
    model.answered([])
    with refuses(rule):
        model.check_complete(1)


def test_what_was_told_has_to_be_told_again() -> None:
    model = watching(WITH_INPUT, READ)
    model.answered([(FD, READ)])
    model.check_complete(1)
    model.begin()
    model.answered([])
    with refuses("poller.wait.level"):
        model.check_complete(1)


@pytest.mark.parametrize(
    "state, asked, hit",
    [
        (SILENT, BOTH, []),
        (WITH_INPUT, READ, [(FD, BOTH)]),
        (GONE, BOTH, [(FD, READ)]),
        (GONE, BOTH, [(FD, BOTH)]),
        (WITH_INPUT, NEITHER, []),
        (WITH_INPUT, NEITHER, [(FD, NEITHER)]),
    ],
)
def test_what_the_contract_leaves_open_is_allowed(
    state: ChannelState, asked: Directions, hit: list[tuple[int, Directions]]
) -> None:
    model = watching(state, asked)
    for _ in range(3):
        model.answered(hit)
    model.check_complete(3)
    assert model.is_settled, f"after three answers of {hit} something is still looked for"


def test_two_entries_of_a_number_are_refused() -> None:
    model = watching(WITH_INPUT, BOTH)
    with refuses("poller.wait.one-entry"):
        model.answered([(FD, READ), (FD, WRITE)])


def test_unasked_directions_may_come_now_and_then() -> None:
    model = watching(ChannelState(Kind.PAIR), READ)
    for _ in range(19):
        model.answered([(FD, WRITE)])
    assert not model.is_settled, "an entry of unasked directions alone was the last one"
    with refuses("poller.change.adds"):
        model.answered([(FD, WRITE)])


def test_a_number_under_another_file_may_be_told() -> None:
    model = watching(SILENT, READ)
    model.lose(FD)
    model.answered([(FD, READ)])
    model.remove(FD)
    with refuses("poller.change.removal"):
        model.answered([(FD, READ)])


def test_the_same_directions_again_need_not_notice_a_file() -> None:
    model = watching(WITH_INPUT, READ)
    model.lose(FD)
    model.watch(FD, Interest("A", RENEWED_WITH_INPUT, READ))
    model.begin()
    model.answered([])
    model.check_complete(1)
    model.watch(FD, Interest("A", RENEWED_WITH_INPUT, BOTH))
    model.begin()
    with refuses("poller.change.reuse"):
        model.check_complete(0)


def test_a_number_that_nobody_watched_is_refused() -> None:
    with refuses("poller.wait.not-ready"):
        PollerModel().answered([(FD, READ)])
