"""The play of levent: right loops play as the model says, wrong ones are told apart."""

from __future__ import annotations

from typing import Any

import pytest

from looptck import Implementation
from looptck.adapters.asyncio import implementation as asyncio_loop
from looptck.models.corpus import frozen
from looptck.models.explore import explore
from looptck.models.parse import parse
from looptck.models.run import run_scenario
from tideloop.tck import implementation as reference

from . import plain_levent
from .plain_levent import PlainEvBuf, PlainEvent, of

STEPS = 3000

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


@pytest.mark.parametrize("variant", reference.by_variant)
def test_the_reference_plays_as_the_model_says(variant: str) -> None:
    found = explore(reference, variant, "levent", seed=20, steps=STEPS)
    assert found.steps >= STEPS
    assert found.difference is None, found.text()


@pytest.mark.parametrize("variant", reference.by_variant)
def test_the_reference_plays_every_frozen_scenario(variant: str) -> None:
    for scenario in frozen("levent"):
        played = run_scenario(scenario, reference, variant)
        assert played.difference is None, played.difference.text()
        assert played.steps > len(scenario.steps)


def test_a_plain_loop_plays_as_the_model_says() -> None:
    """The wrong ones below are this one, but for one thing each."""
    found = explore(made(of(PlainEvBuf)), "default", "levent", seed=5, steps=STEPS)
    assert found.difference is None, found.text()


@pytest.mark.filterwarnings("ignore")  # asyncio tells of transports that it did not begin
def test_a_loop_that_holds_bytes_back_plays_as_the_model_says() -> None:
    """asyncio's transports read more at once than the input may hold."""
    found = explore(asyncio_loop, "default", "levent", seed=3, steps=500)
    assert found.difference is None, found.text()


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_a_wrong_loop_is_found_and_its_scenario_is_short(
    wrong: type[PlainEvBuf | PlainEvent],
) -> None:
    seed = 1 if issubclass(wrong, PlainEvBuf) else 2  # one that finds no hang, which takes long
    found = explore(made(of(wrong)), "default", "levent", seed, steps=10_000, reducing=5)
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
    found = explore(made(loop), "default", "levent", seed=1, steps=10_000)
    assert found.difference is not None
    assert found.difference.rule == rule, found.text()


def test_a_loop_that_ignores_high_watermarks_is_passed_over() -> None:
    """No rule is judged that asks for them."""

    class Unlimited(PlainEvBuf):
        def set_read_watermarks(self, low: int, high: int) -> None:
            self.low = low

    scenario = parse(
        "levent\nA: buffered event\nbegin\ninput of A: low 0, high 2\nstart A\n"
        "peer of A sends 5\npass until nothing moves\ntake all from A"
    )
    difference = run_scenario(scenario, made(of(Unlimited)), "default").difference
    assert difference is not None
    assert difference.rule == "levent.buffer.read-highwater"
    assert difference.expected == ("2 bytes at most: its high watermark",)
    found = explore(made(of(Unlimited)), "default", "levent", seed=1, steps=STEPS)
    assert found.difference is None, found.text()


def test_a_loop_that_hangs_is_a_difference() -> None:
    class Deaf(PlainEvBuf):
        def stop(self) -> None:
            """Goes on."""

    scenario = parse("levent\nA: buffered event\nbegin\nstart A\nstop A\nloop until none is active")
    played = run_scenario(scenario, made(of(Deaf)), "default", patience=0.3)
    assert played.hung
    assert played.difference is not None
    assert played.difference.rule == "levent.bufevent.stop"


def test_calls_without_end_are_a_difference_that_is_told_once() -> None:
    class Restless(PlainEvBuf):
        def readable(self) -> None:
            super().readable()
            while True:
                self.readcb()

    scenario = parse(
        "levent\nA: buffered event\nbegin\nstart A\npeer of A sends 1\npass until nothing moves"
    )
    difference = run_scenario(scenario, made(of(Restless)), "default").difference
    assert difference is not None
    assert difference.rule == "levent.loop.howmany-zero-bounded"
    assert "times more" in difference.text()
    assert difference.text().count("readcb of A") == 3


def test_a_difference_is_told_as_a_short_scenario() -> None:
    scenario = parse(
        "levent\nA: buffered event\n    readcb: take all from A\nbegin\n"
        "input of A: low 3, high 0\nstart A\npeer of A sends 2\npass until nothing moves"
    )
    difference = run_scenario(scenario, made(of(plain_levent.NeedsOneLess)), "default").difference
    assert difference is not None
    assert difference.text().splitlines()[-5:] == [
        "expected one of:",
        "    no call below the low watermark, 3",
        "happened:",
        "    readcb of A called with 2 bytes in the input",
        "rule: levent.buffer.read-lowwater",
    ]
