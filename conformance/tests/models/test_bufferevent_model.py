"""The model of a bufferevent allows and refuses the right calls, and wrong ones are found."""

from __future__ import annotations

from typing import Any

import pytest

from looptck import Clock, Implementation
from looptck.models.buffered.model import BufferedModel, Seen
from looptck.models.buffered.rules import Callback
from looptck.models.buffered.side import Switch
from looptck.models.engine.explore import explore
from looptck.models.engine.timing import Timing
from looptck.models.engine.violation import ViolationError
from looptck.models.luaevent_extended import MODEL
from looptck.models.luaevent_extended.limit import Limit
from looptck.models.luaevent_extended.live import ENABLE, RULES
from tideloop.tck import implementation as reference

VIRTUAL = Timing(unit=1.0, is_virtual=True, patience=0.2, apart=0.01)
LIMITS = "luaevent.bufferevent.set_timeouts"


def refuses(rule: str) -> pytest.RaisesExc[ViolationError]:
    return pytest.RaisesExc(ViolationError, check=lambda error: error.rule == rule)


def seen(moved: int = 0, left: int = 0, held: int = 0, kept: int = 0) -> Seen:
    return Seen(moved, left, True, held, kept)


@pytest.fixture
def model() -> BufferedModel:
    """One with both directions enabled."""
    made = BufferedModel("A", RULES)
    made.switch_on(made.input, seen())
    made.switch_on(made.output, seen())
    return made


@pytest.fixture
def limit(model: BufferedModel) -> Limit:
    """The timeout of an input, of two seconds from the time 0 on."""
    made = Limit("timeout", model.input, VIRTUAL)
    made.set(2)
    made.begin(0)
    made.begin_turn(0)
    return made


# ---- the two directions


def test_a_disabled_direction_may_move_until_two_turns_passed(model: BufferedModel) -> None:
    model.peer_sent(b"abc")
    model.switch_off(model.input, "it is disabled", ENABLE, seen(), turns=2)
    model.begin_turn(seen())
    model.look(seen(moved=1, held=1))
    model.begin_turn(seen(moved=1, held=1))
    with refuses(ENABLE):
        model.look(seen(moved=2, held=2))


def test_one_direction_leaves_the_other_alone(model: BufferedModel) -> None:
    model.switch_off(model.input, "it is disabled", ENABLE, seen())
    model.write(b"ab", None)
    missing = model.missing_call(seen(kept=2))
    assert missing is not None
    assert missing.rule == "luaevent.bufferevent.get_write"
    with refuses(ENABLE):
        model.called(Callback.READ, seen(kept=2))


def test_the_lengths_of_the_buffers_are_looked_at(model: BufferedModel) -> None:
    model.mark_input(0, 2, seen())
    model.peer_sent(b"abc")
    model.look(seen(moved=2, held=2))
    with refuses("luaevent.bufferevent.read-high"):
        model.look(seen(moved=3, held=3))
    with refuses("luaevent.bufferevent.get_read"):
        model.look(seen(moved=2, held=1))


def test_at_the_low_watermark_a_call_is_open(model: BufferedModel) -> None:
    model.mark_input(2, 0, seen())
    model.peer_sent(b"ab")
    assert model.missing_call(seen(moved=2, held=2)) is None
    model.called(Callback.READ, seen(moved=2, held=2))
    model.finished(Callback.READ, seen(moved=2, held=2))
    model.peer_sent(b"c")
    missing = model.missing_call(seen(moved=3, held=3))
    assert missing is not None
    assert missing.rule == "luaevent.bufferevent.read-low"


def test_the_end_is_told_once_and_after_the_data(model: BufferedModel) -> None:
    end = "luaevent.bufferevent.eof-once"
    with refuses(end):
        model.told_end()
    model.peer_sent(b"a")
    model.peer_ended()
    with refuses(end):
        model.told_end()
    model.called(Callback.READ, seen(moved=1, held=1))
    missing = model.missing_call(seen(moved=1, held=1))
    assert missing is not None
    assert missing.rule == end
    model.told_end()
    assert model.missing_call(seen(moved=1, held=1)) is None
    with refuses(end):
        model.told_end()
    model.switch_on(model.input, seen(moved=1, held=1))
    model.told_end()


# ---- the timeouts


def test_a_limit_is_not_told_early(limit: Limit) -> None:
    with refuses(LIMITS):
        limit.told(1.9)
    limit.told(2)


def test_a_byte_begins_the_time_anew(limit: Limit) -> None:
    limit.look(0, 1)
    limit.look(1, 1.5)
    with refuses(LIMITS):
        limit.told(2.9)
    limit.told(3)  # the byte moved at 1 or later


def test_a_limit_that_does_not_come_is_missing_after_long(limit: Limit) -> None:
    assert limit.missing_call(4.9) is None
    missing = limit.missing_call(5)
    assert missing is not None
    assert missing.rule == LIMITS
    limit.told(5)
    assert limit.missing_call(9) is None, "whether it comes again is open"


def test_a_loop_may_count_from_the_end_of_a_callback(limit: Limit) -> None:
    limit.set(2)
    assert limit.missing_call(9) is None
    limit.begin_turn(9)
    assert limit.missing_call(13) is None
    assert limit.missing_call(14) is not None


def test_no_limit_is_told_where_none_is_set(limit: Limit) -> None:
    limit.set(0)
    with refuses(LIMITS):
        limit.told(9)


def test_a_timeout_leaves_open_whether_its_direction_goes_on(limit: Limit) -> None:
    limit.told(2)
    assert limit._side.switch is Switch.PERHAPS


# ---- wrong loops


class _Wrong:
    """A bufferevent of the reference behind which everything goes on, but for one thing."""

    def __init__(self, entry: Any, base: Any, fd: int, *callbacks: Any) -> None:
        self.entry = entry

        def given(callback: Any) -> Any:
            return lambda _real, what: callback(self, what)

        self.real = entry.bufferevent.new(base, fd, *map(given, callbacks))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class _TimeoutsAreSwapped(_Wrong):
    def set_timeouts(self, read: float, write: float) -> None:
        self.real.set_timeouts(write, read)


class _OneSwitch(_Wrong):
    def disable(self, _flags: int) -> None:
        self.real.disable(self.entry.EV_READ | self.entry.EV_WRITE)


class _NeedsOneByteLess(_Wrong):
    def set_read_watermarks(self, low: int, high: int) -> None:
        self.real.set_read_watermarks(max(low - 1, 0), high)


class _AByteMore(_Wrong):
    def set_read_watermarks(self, low: int, high: int) -> None:
        self.real.set_read_watermarks(low, high + 1 if high else 0)


class _Entry:
    def __init__(self, clock: Clock, kind: type[_Wrong]) -> None:
        self._real = reference.by_variant["poll"]["luaevent-extended"](clock)
        self._kind = kind
        self.bufferevent = self

    def new(self, *arguments: Any) -> Any:
        """Make a base, or a bufferevent."""
        return self._kind(self._real, *arguments) if arguments else self._real.new()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.mark.parametrize(
    "kind, rule",
    [
        (_TimeoutsAreSwapped, LIMITS),
        (_OneSwitch, "luaevent.bufferevent.get_write luaevent.bufferevent.read-low"),
        (_NeedsOneByteLess, "luaevent.bufferevent.read-low"),
        (_AByteMore, "luaevent.bufferevent.read-high"),
    ],
)
def test_a_wrong_bufferevent_is_found_by_a_short_scenario(kind: type[_Wrong], rule: str) -> None:
    loop = Implementation(
        name="wrong",
        version="1",
        profiles={"luaevent-extended": lambda clock: _Entry(clock, kind)},
        virtual_time=True,
    )
    found = explore(MODEL, loop, "default", seed=1, steps=10_000, shrinking=5).difference
    assert found is not None, f"no difference was found; expected one by {rule}"
    assert found.rule in rule.split(), found.text()
    assert len(found.scenario.steps) <= 9, found.text()
