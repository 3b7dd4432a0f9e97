"""Every public function refuses every wrong argument, in one way, and nothing has happened.

The functions and their parameters are found by looking at the package.  A new
parameter without a line in `KINDS` fails here.
"""

from __future__ import annotations

import inspect
import io
import math
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tideloop
from tideloop import READ, WRITE, ClosedError, Loop, arguments, levent, luaevent, luahop
from tideloop.luaevent.flags import EV_READ, EV_SIGNAL, EV_TIMEOUT, LEAVE, flag_set
from tideloop.pollers.api import check_directions


class World:
    """A loop in virtual time, sockets, and one of each object of the package."""

    def __init__(self) -> None:
        self.clock = tideloop.VirtualClock(7.0)
        self.near, self.far = socket.socketpair()
        self.loop = Loop("select", self.clock)
        self.base = luaevent.new("select", self.clock)
        self.levent = levent.newbase("select", self.clock)
        self.hop = luahop.new("select", self.clock)

    def close(self) -> None:
        for each in (self.loop, self.base, self.levent, self.hop, self.near, self.far):
            each.close()

    def loops(self) -> list[Loop]:
        return [self.loop, self.base._loop, self.levent._loop, self.hop._loop]

    def state(self) -> object:
        return [
            (loop.closed, loop.busy, loop._timers.live, loop.registry.watching(self.near))
            for loop in self.loops()
        ]


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def queue_of(data: bytes) -> tideloop.Buffer:
    queue = tideloop.Buffer()
    queue.append(data)
    return queue


def luaevent_buffer_of(data: bytes) -> luaevent.buffer.Buffer:
    queue = luaevent.buffer.new()
    queue.add(data)
    return queue


# {class: makes one}; None for those that only the package itself makes
MADE: dict[type, Callable[[World], Any] | None] = {
    Loop: lambda world: world.loop,
    tideloop.Watcher: lambda world: world.loop.watch(world.far, READ, print),
    tideloop.Timer: lambda world: world.loop.after(1, print),
    tideloop.Interval: lambda world: world.loop.every(1, print),
    tideloop.Buffer: lambda world: queue_of(b"ab\ncd"),
    tideloop.BufferedEvent: lambda world: tideloop.BufferedEvent(world.loop, world.near),
    tideloop.MonotonicClock: lambda world: tideloop.MonotonicClock(),
    tideloop.VirtualClock: lambda world: world.clock,
    tideloop.Hold: None,
    tideloop.ErrorFlag: None,
    tideloop.Clock: None,
    tideloop.Poller: None,
    luaevent.Base: lambda world: world.base,
    luaevent.Entry: lambda world: luaevent.entry("select", world.clock),
    luaevent.Event: lambda world: world.base.addevent(None, EV_TIMEOUT, print, 1),
    luaevent.buffer.Buffer: lambda world: luaevent_buffer_of(b"ab\ncd"),
    luaevent.buffer.Module: None,
    luaevent.bufferevent.BufferEvent: lambda world: luaevent.bufferevent.new(
        world.base, world.near, None, None, print
    ),
    luaevent.bufferevent.Module: None,
    levent.Base: lambda world: world.levent,
    levent.Entry: lambda world: levent.entry("select", world.clock),
    levent.Event: lambda world: world.levent.newevent(world.near.fileno(), print),
    levent.EvBuf: lambda world: world.levent.newevbuf(world.near.fileno()),
    luahop.Hop: lambda world: world.hop,
    luahop.Entry: lambda world: luahop.entry("select", world.clock),
}
# classes whose making is no call for programs
MADE_INSIDE = {
    tideloop.Watcher,
    tideloop.Timer,
    tideloop.Interval,
    luaevent.Event,
    luaevent.bufferevent.BufferEvent,
    levent.Event,
    levent.EvBuf,
}
# methods that only the package itself calls
FOR_THE_LOOP = {"ready", "due", "closed_under", "abandon", "check_open"}
MODULES: list[ModuleType] = [
    tideloop,
    luaevent,
    luaevent.buffer,
    luaevent.bufferevent,
    levent,
    luahop,
    tideloop.pollers,
]


class Number:
    def __init__(self, number: object) -> None:
        self.number = number

    def fileno(self) -> object:
        if isinstance(self.number, Exception):
            raise self.number
        return self.number


class NotTold:
    fileno = 5

    def __repr__(self) -> str:
        raise RuntimeError


class Kind(NamedTuple):
    """A right value, or what makes one of a world; values of a wrong type; wrong values."""

    right: Any
    types: tuple[Any, ...] = ()
    values: tuple[Any, ...] = ()


NAN, INF = math.nan, math.inf
CALLBACK = Kind(print, (None, 5, "print", b"", [print]))
MAYBE_CALLBACK = Kind(None, (5, "print", b"", [print], False))
LENGTH = Kind(1, ("1", b"1", True, [], 1j, timedelta(1), print), (NAN, -1, -0.1, -INF, -(10**400)))
LENGTH_TYPES: tuple[object, ...] = ("1", True, [], 1j, timedelta(1))
MAYBE_LENGTH = Kind(None, LENGTH.types, (*LENGTH.values, Decimal("NaN"), Decimal("sNaN")))
SIZE = Kind(1, ("1", 1.0, 1.5, NAN, True, [], Decimal(1)), (-1, -(2**70)))
MAYBE_SIZE = Kind(None, SIZE.types, SIZE.values)
FLAG = Kind(True, (None, 0, 1, "yes"))
DESCRIPTOR = Kind(
    lambda world: world.near,
    (None, "0", 1.0, True, {}, NotTold(), Number("1"), Number(None), Number(True), Number(1.0)),
    (-1, -(2**70), 2**31, 2**70, Number(-1), Number(2**40), Number(KeyError("x")), io.StringIO()),
)
DIRECTIONS = Kind(READ, (None, "r", True, 2.0, []), (0, 1, -1, 3, 8, 2**70))
DATA = Kind(b"x", (None, "text", 5, True, [b"x"]))
POLLER = Kind("select", (5, b"select", io.StringIO()), ("", "none"))
CLOCK = Kind(lambda world: world.clock, (5, "now", object(), tideloop.MonotonicClock))
DURATION = Kind(
    {"ms": 1},
    (None, "1", {"ms": "1"}, {"ms": True}, {"s": None}, {"s": Decimal(1)}),
    ({}, {"ms": -1}, {"s": NAN}, {"s": INF}, {"h": 1e300}, {"days": 1}, {5: 1}),
)
MASK = Kind("r", (None, 5, b"r", ["r"]), ("", "x", "R", "r "))
ANY = Kind(None)

KINDS: dict[str, Kind] = {
    "fd": DESCRIPTOR,
    "interest": DIRECTIONS,
    "Watcher.change interest": DIRECTIONS._replace(values=DIRECTIONS.values[1:]),
    "callback": CALLBACK,
    "fn": CALLBACK,
    "args": ANY,
    "delay": LENGTH,
    "period": LENGTH._replace(values=(*LENGTH.values, 0, 0.0, -0.0)),
    "forever": FLAG,
    "until_called": FLAG,
    "timeout": MAYBE_LENGTH,
    "poller": POLLER,
    "clock": CLOCK,
    "on_error": MAYBE_CALLBACK,
    "VirtualClock start": Kind(0.0, LENGTH_TYPES, (NAN, INF, -INF)),
    "seconds": LENGTH,
    "VirtualClock.advance seconds": LENGTH._replace(values=(*LENGTH.values, INF)),
    "wait": CALLBACK,
    "data": DATA,
    "other": Kind(lambda world: queue_of(b"x"), (None, b"x", "x", 5)),
    "size": MAYBE_SIZE,
    "Buffer.read_from size": Kind(1, SIZE.types, (*SIZE.values, 0)),
    "start": SIZE,
    "byte": Kind(b"x", (None, "x", 5), (b"", b"xy")),
    "loop": Kind(lambda world: world.loop, (None, 5, "loop", object())),
    "on_read": MAYBE_CALLBACK,
    "on_write": MAYBE_CALLBACK,
    "subject": ANY,
    "directions": DIRECTIONS,
    "announce": FLAG,
    "low": Kind(1, SIZE.types, (*SIZE.values, 3, 2**70)),
    "high": Kind(2, SIZE.types, SIZE.values),
    # the rules of luaevent let the output have any high watermark
    "BufferEvent.set_write_watermarks low": SIZE,
    "EvBuf.set_write_watermarks low": SIZE,
    "read": MAYBE_LENGTH,
    "write": MAYBE_LENGTH,
    "new read": MAYBE_CALLBACK,
    "new write": MAYBE_CALLBACK,
    "error": CALLBACK,
    "limit": MAYBE_LENGTH,
    "then": MAYBE_CALLBACK,
    "event": DIRECTIONS,
    "Base.addevent event": Kind(
        EV_READ,
        (None, "r", True, 2.0),
        (LEAVE, -5, 256, EV_SIGNAL, 2**70),
    ),
    "Base.addevent fd": DESCRIPTOR._replace(types=DESCRIPTOR.types[1:]),
    "event_callback": CALLBACK,
    "base": Kind(lambda world: world.base, (None, 5, object())),
    "first": DATA,
    "more": DATA,
    "begin_and_length": Kind(1, ("1", 1.5, NAN, True, None)),
    "amt": Kind(1, ("1", 1.5, NAN, True, None)),
    "length": Kind(1, ("1", 1.5, NAN, True, None)),
    "file": Kind(lambda world: world.near.fileno(), (None, "0", True, {}), (-1, 2**31, 2**70)),
    "fdfromfile file": Kind(lambda world: world.near, DESCRIPTOR.types, (Number(-1),)),
    "value": Kind(0, (None, "0", True, {}), (-1, 2**31, 2**70)),
    "evtype": MASK,
    "readcb": MAYBE_CALLBACK,
    "writecb": MAYBE_CALLBACK,
    "errorcb": MAYBE_CALLBACK,
    "howmany": Kind(0, ("1", 1.5, NAN, True)),
    "metatable": Kind(Number, (None, 5, "int")),
    "fdaccessor": MAYBE_CALLBACK,
    "files": Kind(lambda world: levent.entry(), (None, 5)),
    "mask": MASK,
    "duration": DURATION,
    "Hop.poll timeout": Kind(0, ("1", True, [], {"ms": "1"}), (NAN, -1, {}, {"ms": -1}, {"x": 1})),
    "Hop.set_interval duration": DURATION._replace(values=(*DURATION.values, {"ms": 0})),
    "timer": Kind(lambda world: world.hop.set_timeout({"s": 1}, print), (None, 5, "timer", print)),
}


class Call(NamedTuple):
    """A public function: how it is named, who has it, what it takes."""

    name: str
    of: type | None
    function: Callable[..., Any]
    parameters: list[inspect.Parameter]

    def kind(self, parameter: str) -> Kind:
        for name in (f"{self.name} {parameter}", f"{self.name.split('.')[-1]} {parameter}"):
            if name in KINDS:
                return KINDS[name]
        return KINDS[parameter]

    def on(self, subject: object) -> Callable[..., Any]:
        """The function, bound to *subject* if it is a method."""
        found: Callable[..., Any] = self.function
        if self.of is not None:
            found = getattr(subject, self.function.__name__)
        return found

    def fill(self, world: World, wrong: dict[str, object]) -> tuple[list[Any], dict[str, Any]]:
        """Arguments that are right but for those that are *wrong*."""
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        for parameter in self.parameters:
            name, asked = parameter.name, parameter.name in wrong
            if parameter.kind is parameter.VAR_POSITIONAL and not asked:
                continue
            right = self.kind(name).right
            is_made = inspect.isfunction(right) and right.__name__ == "<lambda>"
            value = wrong[name] if asked else right(world) if is_made else right
            if parameter.kind is parameter.KEYWORD_ONLY:
                keywords[name] = value
            else:
                positional.append(value)
        return positional, keywords


def public_calls() -> Iterator[Call]:
    def parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
        return list(inspect.signature(function).parameters.values())

    for module in MODULES:
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing) and not issubclass(thing, BaseException):
                if MADE[thing] is None:
                    continue
                if thing not in MADE_INSIDE and "__init__" in vars(thing):
                    yield Call(name, None, thing, parameters(thing))
                for method, function in inspect.getmembers(thing, inspect.isfunction):
                    if (
                        method[0] != "_"
                        and method not in FOR_THE_LOOP
                        and "." in function.__qualname__
                    ):
                        yield Call(f"{name}.{method}", thing, function, parameters(function)[1:])
            elif inspect.isroutine(thing):
                yield Call(thing.__name__, None, thing, parameters(thing))


CALLS = list({(call.of, call.function): call for call in public_calls()}.values())
WRONG = [
    pytest.param(call, parameter.name, value, error, id=f"{call.name}-{parameter.name}-{place}")
    for call in CALLS
    for parameter in call.parameters
    for error, values in (
        (TypeError, call.kind(parameter.name).types),
        (ValueError, call.kind(parameter.name).values),
    )
    for place, value in enumerate(values)
]


def test_the_functions_are_found() -> None:
    names = {call.name for call in CALLS}
    for name in ("Loop", "Loop.turn", "BufferedEvent.enable", "Buffer.take", "clear_timer", "new"):
        assert name in names
    assert len(CALLS) > 90
    assert len(WRONG) > 700


@pytest.mark.parametrize("call, parameter, value, error", WRONG)
def test_a_wrong_argument_is_refused_and_nothing_has_happened(
    call: Call, parameter: str, value: object, error: type[Exception], world: World
) -> None:
    """The message is one line that says what was wrong with what, and what to do."""
    make = MADE[call.of] if call.of is not None else None
    subject = make(world) if make is not None else None
    arguments_, keywords = call.fill(world, {parameter: value})
    before = world.state(), repr(subject)
    with pytest.raises(error) as caught:
        call.on(subject)(*arguments_, **keywords)
    assert (world.state(), repr(subject)) == before
    assert not isinstance(caught.value, OSError)
    message = str(caught.value)
    assert "\n" not in message
    assert "; " in message, "the next step is missing"


# What may be called after `close` or `delete`, and what it is good for then.
AFTER_CLOSE = {
    # ending what has ended is harmless
    *("close", "delete", "close_when_sent", "delete_when_sent", "stop", "clear_timer"),
    "remove_listener",
    # what is left can still be taken from a BufferedEvent, and all can be asked
    *("take", "take_line", "input_taken", "method", "get_read", "get_write"),
}
CLOSED = [call for call in CALLS if call.of is not None and hasattr(call.of, "close")]
CLOSED += [call for call in CALLS if call.of in (levent.Event, levent.EvBuf)]
STILL = {(levent.Event, "stop"), (levent.EvBuf, "stop")}


@pytest.mark.parametrize("call", CLOSED, ids=lambda call: call.name)
def test_a_closed_object_refuses(call: Call, world: World) -> None:
    assert call.of is not None
    make = MADE[call.of]
    assert make is not None
    subject = make(world)
    arguments_, keywords = call.fill(world, {})
    (subject.close if hasattr(subject, "close") else subject.delete)()
    before = world.state(), repr(subject)
    if call.function.__name__ in AFTER_CLOSE and (call.of, call.function.__name__) not in STILL:
        call.on(subject)(*arguments_, **keywords)
    else:
        with pytest.raises(ClosedError, match=r"closed|deleted"):
            call.on(subject)(*arguments_, **keywords)
    assert (world.state(), repr(subject)) == before


@pytest.mark.parametrize("poller", tideloop.available())
def test_what_belongs_to_a_closed_loop_refuses(poller: str) -> None:
    """They were not watched when it was closed, so that it could not close them."""
    near, far = socket.socketpair()
    loop = Loop(poller)
    watcher = loop.watch(near, READ, print)
    watcher.change(0)
    event = tideloop.BufferedEvent(loop, near)
    started = tideloop.BufferedEvent(loop, near)
    started.enable(WRITE, announce=False)
    base = luaevent.new(poller)
    held = luaevent.bufferevent.new(base, near, None, None, print)
    output = held.get_write()
    loop.close()
    base.close()
    assert output is not None
    for late in (
        lambda: watcher.change(READ),
        event.enable,
        lambda: event.write(b"x"),
        lambda: started.write(b"x"),
        lambda: started.enable(READ),
        lambda: tideloop.BufferedEvent(loop, near),
        lambda: held.enable(EV_READ),
        lambda: output.add(b"x"),
    ):
        with pytest.raises(ClosedError):
            late()
    assert len(event.output) == len(started.output) == len(output) == 0
    near.close()
    far.close()


@pytest.mark.parametrize("length", [2, 0.5, Fraction(1, 2), Decimal("0.5"), INF, 10**400])
def test_any_number_is_a_length_of_time(length: Any, world: World) -> None:
    calls: list[int] = []
    timer = world.loop.after(length, calls.append, 1)
    world.loop.after(3, calls.append, 2)
    assert world.loop.turn(length)
    while 2 not in calls:
        world.loop.turn()
    assert calls == ([1, 2] if length <= 2 else [2])
    timer.close()


def test_a_size_beyond_all_memory_is_all_there_is(world: World) -> None:
    queue = queue_of(b"abc")
    assert queue.peek(2**70, 1) == b"bc"
    assert queue.find(b"c", 2**70) == -1
    assert queue.take(2**70) == b"abc"
    world.far.send(b"abc")
    assert queue.read_from(world.near, 2**70) == 3
    assert queue.drain(2**70) == 3
    lua = luaevent_buffer_of(b"abc")
    assert lua.get_data(2**70) == b"abc"
    assert lua.get_data(-(2**70), 1) == b"a"
    world.far.send(b"abc")
    assert lua.read(world.near, 2**70) == 3


def test_a_loop_that_could_not_be_made_leaves_no_descriptor(no_leak: None) -> None:
    for wrong in ({"clock": 5}, {"poller": 5}, {"on_error": 5}):
        with pytest.raises(TypeError):
            Loop(**wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_a_clock_is_asked_once_whether_it_tells_the_time() -> None:
    class Silent(tideloop.MonotonicClock):
        now = staticmethod(lambda: "noon")  # type: ignore[assignment]  # wrong on purpose

    with pytest.raises(TypeError, match=r"now\(\)"):
        Loop(clock=Silent())  # type: ignore[arg-type]  # wrong on purpose


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.fractions(),
    st.decimals(),
    st.text(),
    st.binary(),
    st.lists(st.integers(), max_size=2),
    st.builds(Number, st.one_of(st.integers(), st.text(), st.none(), st.builds(KeyError))),
    st.sampled_from([NotTold(), print, 10**5000, object, READ, WRITE]),
)


@pytest.mark.parametrize(
    "check",
    [
        lambda value: arguments.descriptor(value),
        lambda value: arguments.seconds(value, "x"),
        lambda value: arguments.moment(value, "x"),
        lambda value: arguments.size(value, "x"),
        lambda value: arguments.whole(value, "x"),
        lambda value: check_directions(value, "x", pause=True),
        lambda value: flag_set(value, "x"),
        lambda value: arguments.flag(value, "x"),
        lambda value: arguments.data(value, "x"),
        lambda value: arguments.callback(value, "x"),
        lambda value: arguments.maybe_callback(value, "x"),
        lambda value: arguments.watermarks(value, value),
    ],
)
@given(value=anything)
def test_whatever_it_is_a_check_takes_or_refuses_it(
    check: Callable[[object], object], value: object
) -> None:
    """A value that was accepted is accepted again, as it was returned."""
    message = ""
    try:
        taken = check(value)
    except (TypeError, ValueError) as error:
        message = str(error)
    else:
        assert isinstance(taken, tuple) or check(taken) == taken
    assert len(message) < 400
    assert "\n" not in message
