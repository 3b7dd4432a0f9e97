"""The program decides once where the exceptions of callbacks go."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

import tideloop
from tideloop import READ, BufferedEvent, Loop, VirtualClock, levent, luaevent, luahop
from tideloop.luaevent.flags import EV_READ, EV_TIMEOUT, LEAVE

Pairs = Callable[[], tuple[socket.socket, socket.socket]]


class Told:
    """A handler that writes down what it is told."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, object]] = []

    def __call__(self, error: Exception, callback: object) -> None:
        assert error.__traceback__ is not None
        self.errors.append((str(error), callback))


def failing(name: str) -> Callable[..., Any]:
    def fail(*_: object) -> None:
        raise ValueError(name)

    return fail


@pytest.fixture
def told() -> Told:
    return Told()


def ready(pair: Pairs) -> socket.socket:
    near, far = pair()
    far.send(b"x")
    return near


def test_the_handler_gets_the_error_and_the_callback(
    poller: str, clock: VirtualClock, pair: Pairs, told: Told
) -> None:
    """Everything fails in one turn: watchers, posted calls, timers, a buffered event."""
    calls: list[str] = []
    fails = {name: failing(name) for name in ("watch", "post", "after", "every", "on_read")}
    with Loop(poller, clock, told) as loop:
        for name in ("watch", "ok"):
            loop.watch(ready(pair), READ, fails.get(name, lambda ready: calls.append("watch")))
        event = BufferedEvent(loop, ready(pair), fails["on_read"])
        event.enable(READ)
        loop.post(fails["post"])
        loop.post(calls.append, "post")
        loop.after(0, fails["after"])
        loop.after(0, calls.append, "after")
        loop.every(1, fails["every"])
        loop.every(1, calls.append, "every")
        clock.advance(1)
        assert loop.turn(0)
        assert sorted(told.errors) == sorted((name, fail) for name, fail in fails.items())
        assert sorted(calls) == ["after", "every", "post", "watch"]
        # the level goes on, and so does the grid
        clock.advance(1)
        loop.turn(0)
        assert [name for name, _ in told.errors].count("watch") == 2
        assert [name for name, _ in told.errors].count("every") == 2


def test_without_a_handler_it_comes_out(loop: Loop) -> None:
    loop.post(failing("out"))
    with pytest.raises(ValueError, match="out"):
        loop.run()


def test_what_the_handler_raises_comes_out_and_nothing_is_lost(
    poller: str, clock: VirtualClock
) -> None:
    calls: list[int] = []

    def refuse(error: Exception, callback: object) -> None:
        raise KeyError("handler") from error

    with Loop(poller, clock, refuse) as loop:
        loop.post(failing("callback"))
        loop.post(calls.append, 1)
        with pytest.raises(KeyError, match="handler") as caught:
            loop.run()
        assert isinstance(caught.value.__cause__, ValueError)
        loop.run()
    assert calls == [1]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_program_always_comes_out(
    poller: str, told: Told, error: type[BaseException]
) -> None:
    def leave() -> None:
        raise error

    hop = luahop.new(poller, on_error=told)
    hop.set_timeout({"ms": 0}, leave)
    with Loop(poller, on_error=told) as loop:
        loop.post(leave)
        for run in (loop.run, hop.poll):
            with pytest.raises(error):
                run()
    hop.close()
    assert told.errors == []


def test_the_handler_may_stop_the_loop_but_not_close_it(poller: str) -> None:
    seen: list[type[Exception]] = []

    def stop(error: Exception, callback: object) -> None:
        try:
            loop.close()
        except tideloop.RunningError as refused:
            seen.append(type(refused))
        loop.stop()

    with Loop(poller, on_error=stop) as loop:
        loop.every(0.001, failing("stop"))
        loop.run()
        assert not loop.closed
    assert seen == [tideloop.RunningError]


def test_luaevent_goes_on_with_what_is_registered(
    poller: str, clock: VirtualClock, pair: Pairs, told: Told
) -> None:
    base = luaevent.new(poller, clock, told)
    answers: list[Any] = ["nonsense", (EV_READ, "soon"), 256, LEAVE]
    fail = failing("raised")

    def answer(flags: int) -> Any:
        return answers.pop(0)

    kept = [base.addevent(ready(pair), EV_READ, answer), base.addevent(None, EV_TIMEOUT, fail, 1)]
    near = ready(pair)
    held = luaevent.bufferevent.new(base, near, fail, None, fail)
    held.enable(EV_READ)
    base.loopexit(1.5)
    base.loop()
    callbacks = [callback for _, callback in told.errors]
    assert callbacks.count(answer) == 3
    assert callbacks.count(fail) == 2
    assert answers == []
    assert repr(fail) in repr(kept[1])
    base.close()


def test_levent_and_luahop_tell_it_too(
    poller: str, clock: VirtualClock, pair: Pairs, told: Told
) -> None:
    fail = failing("raised")
    base = levent.newbase(poller, clock, told)
    kept: list[Any] = [
        base.newevent(ready(pair).fileno(), fail).start(),
        base.newevbuf(ready(pair).fileno(), fail).start(),
    ]
    base.loop(0)
    assert told.errors == [("raised", fail)] * 2
    for each in kept:
        each.delete()
    base.close()

    hop = luahop.new(poller, clock, told)
    hop.set_listener(ready(pair), "r", fail)
    hop.set_timeout({"s": 1}, fail)
    hop.set_interval({"s": 1}, fail)
    clock.advance(1)
    assert hop.poll()
    assert told.errors == [("raised", fail)] * 5
    hop.close()


@pytest.mark.parametrize(
    "make",
    [
        lambda poller, told: luaevent.entry(poller, on_error=told).new(),
        lambda poller, told: levent.entry(poller, on_error=told).newbase(),
        lambda poller, told: luahop.entry(poller, on_error=told).new(),
    ],
)
def test_the_entry_objects_take_it(
    poller: str, told: Told, make: Callable[[str, Told], Any]
) -> None:
    made = make(poller, told)
    made._loop.post(failing("x"))
    made._loop.run()
    assert len(told.errors) == 1
