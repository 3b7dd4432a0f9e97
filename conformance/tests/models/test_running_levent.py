"""Right loops run scenarios of levent as the model says; wrong ones are told apart."""

from __future__ import annotations

from typing import Any

import pytest

from looptck import Implementation
from looptck.adapters.asyncio import implementation as asyncio_loop
from looptck.models.documents import parse
from looptck.models.engine.explore import explore
from looptck.models.levent import MODEL

from . import plain_levent
from .plain_levent import PlainEvBuf, PlainEvent, of

STEPS = 3000

# A scenario with one buffered event, but for its steps.
ONE = "levent\nchannel 1: pair\nA: buffered event on channel 1\n"

# {a loop that is wrong in one way: the rule that is named, or one of these}
WRONG: dict[type[PlainEvBuf | PlainEvent], str] = {
    plain_levent.NeedsOneMore: "levent.buffer.read-lowwater",
    plain_levent.NeedsOneLess: "levent.buffer.read-lowwater",
    plain_levent.CountsTheArrival: "levent.buffer.read-lowwater",
    plain_levent.StaysFull: "levent.buffer.read-lowwater",
    plain_levent.LosesWhatIsTooMuch: (
        "levent.newevbuf.data-before-eof levent.bufevent.read-size levent.bufevent.readline-none"
    ),
    plain_levent.EndsBeforeTheData: "levent.newevbuf.data-before-eof",
    plain_levent.TakesThePartOfALine: "levent.bufevent.readline-none",
    plain_levent.LeavesTheBreak: "levent.bufevent.readline",
    plain_levent.DoublesAByte: "levent.bufevent.write",
    plain_levent.PutsInFront: "levent.bufevent.write",
    plain_levent.ForgetsTheDrain: "levent.buffer.write-lowwater",
    plain_levent.StopForgets: "levent.bufevent.stop",
    plain_levent.ReadsOnly: "levent.newevent.evtype-rw levent.event.start",
    plain_levent.IsNeverInvalid: "levent.event.delete-invalid",
    plain_levent.EventsAreBornStarted: "levent.newevent.inactive",
    plain_levent.StopsForGood: "levent.event.start",
}


def made(factory: Any) -> Implementation:
    return Implementation(name="made", version="1", profiles={"levent": factory}, virtual_time=True)


def test_a_plain_loop_plays_as_the_model_says() -> None:
    """The wrong ones below are this one, but for one thing each."""
    found = explore(MODEL, made(of(PlainEvBuf)), "default", seed=5, steps=STEPS)
    assert found.difference is None, found.text()


@pytest.mark.filterwarnings("ignore")  # asyncio tells of transports that it did not begin
def test_a_loop_that_holds_bytes_back_plays_as_the_model_says() -> None:
    """asyncio's transports read more at once than the input may hold."""
    found = explore(MODEL, asyncio_loop, "default", seed=3, steps=500)
    assert found.difference is None, found.text()


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_a_wrong_loop_is_found_and_its_scenario_is_short(
    wrong: type[PlainEvBuf | PlainEvent],
) -> None:
    seed = 7  # one that finds no hang, which takes long
    found = explore(MODEL, made(of(wrong)), "default", seed, steps=10_000, shrinking=5)
    assert found.difference is not None
    assert found.difference.rule in WRONG[wrong].split(), found.text()
    scenario = found.difference.scenario
    assert len(scenario.steps) + sum(len(each.calls) for each in scenario.actors.values()) <= 9


@pytest.mark.parametrize(
    "loop, rule",
    [
        (plain_levent.CallsAfterStop, "levent.bufevent.stop"),
        (plain_levent.EventsAfterStop, "levent.event.stop"),
        (plain_levent.ServesOne, "levent.loop.howmany-zero"),
    ],
)
def test_a_wrong_turn_is_found(loop: type[plain_levent.PlainLevent], rule: str) -> None:
    found = explore(MODEL, made(loop), "default", seed=7, steps=10_000)
    assert found.difference is not None
    assert found.difference.rule == rule, found.text()


def test_a_loop_that_ignores_high_watermarks_is_passed_over() -> None:
    """No rule is judged that asks for them."""

    class Unlimited(PlainEvBuf):
        def set_read_watermarks(self, low: int, high: int) -> None:
            self.low = low

    scenario = parse(
        f"{ONE}begin\ninput of A: low 0, high 2\nstart A\n"
        "write 5 to channel 1\npass until nothing moves\ntake all from A"
    )
    difference = MODEL.run(scenario, made(of(Unlimited)), "default").difference
    assert difference is not None
    assert difference.rule == "levent.buffer.read-highwater"
    assert difference.expected == ("2 bytes at most: its high watermark",)
    found = explore(MODEL, made(of(Unlimited)), "default", seed=1, steps=STEPS)
    assert found.difference is None, found.text()


def test_a_loop_that_hangs_is_a_difference() -> None:
    class Deaf(PlainEvBuf):
        def stop(self) -> None:
            """Goes on."""

    scenario = parse(f"{ONE}begin\nstart A\nstop A\nloop until none is active")
    played = MODEL.run(scenario, made(of(Deaf)), "default", patience=0.3)
    assert played.hung
    assert played.difference is not None
    assert played.difference.rule == "levent.bufevent.stop"


def test_calls_without_end_are_a_difference_that_is_told_once() -> None:
    class Restless(PlainEvBuf):
        def readable(self) -> None:
            super().readable()
            while True:
                self.readcb()

    scenario = parse(f"{ONE}begin\nstart A\nwrite 1 to channel 1\npass until nothing moves")
    difference = MODEL.run(scenario, made(of(Restless)), "default").difference
    assert difference is not None
    assert difference.rule == "levent.loop.howmany-zero-bounded"
    assert "times more" in difference.text()
    assert difference.text().count("readcb of A") == 3


def test_a_difference_is_told_as_a_short_scenario() -> None:
    scenario = parse(
        f"{ONE}    readcb: take all from A\nbegin\n"
        "input of A: low 3, high 0\nstart A\nwrite 2 to channel 1\npass until nothing moves"
    )
    difference = MODEL.run(scenario, made(of(plain_levent.NeedsOneLess)), "default").difference
    assert difference is not None
    assert difference.text().splitlines()[-5:] == [
        "expected one of:",
        "    no call below the low watermark, 3",
        "happened:",
        "    readcb of A called with 2 bytes in the input",
        "rule: levent.buffer.read-lowwater",
    ]
