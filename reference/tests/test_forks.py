"""A forked child may close what it inherited, and nothing else; the parent's is untouched."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from tideloop import READ, WRITE, BufferedEvent, ForkedError, Loop, levent, luaevent, luahop

Pair = tuple[socket.socket, socket.socket]
MakePair = Callable[[], Pair]


def in_child(act: Callable[[], object]) -> None:
    """Runs *act* in a forked child; fails if it raises there."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            act()
            status = 0
        except BaseException as error:
            os.write(2, f"in the child: {error!r}\n".encode())
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture
def real(poller: str) -> Iterator[Loop]:
    with Loop(poller) as loop:
        yield loop


def refused(*acts: Callable[[], object]) -> None:
    for number, act in enumerate(acts):
        try:
            act()
        except ForkedError as error:
            said = str(error)
        else:
            said = ""
        assert "parent" in said, f"call {number} was not refused: {said}"


def test_what_a_child_closes_goes_on_in_the_parent(real: Loop, pair: MakePair) -> None:
    near, far = pair()
    calls: list[int] = []
    watchers = [real.watch(near, READ, calls.append), real.watch(near, WRITE, calls.append)]
    timer = real.after(0.01, calls.append, 99)
    event = BufferedEvent(real, pair()[0])
    event.enable()

    def close_all() -> None:
        for each in (*watchers, timer, event):
            each.close()
        real.close()

    in_child(close_all)
    far.send(b"x")
    assert real.turn(0)
    assert sorted({*calls} - {99}) == [READ, WRITE]
    watchers[1].close()
    near.recv(1)
    while 99 not in calls:
        real.turn()


def test_what_a_child_collects_goes_on_in_the_parent(poller: str, pair: MakePair) -> None:
    near, far = pair()
    calls: list[int] = []
    base = luaevent.new(poller)
    held = [base.addevent(near, luaevent.EV_READ, calls.append, 60)]

    def collect() -> None:
        nonlocal base
        held.clear()
        del base
        gc.collect()

    in_child(collect)
    far.send(b"x")
    base._loop.turn(0)
    assert calls == [luaevent.EV_READ]


def test_a_child_is_told_whose_the_loop_is(real: Loop, pair: MakePair) -> None:
    near, _far = pair()
    watcher = real.watch(near, READ, print)
    buffered = BufferedEvent(real, pair()[0])
    in_child(
        lambda: refused(
            real.run,
            real.turn,
            real.stop,
            lambda: real.post(print),
            lambda: real.after(0, print),
            lambda: real.every(1, print),
            lambda: real.watch(near, WRITE, print),
            lambda: watcher.change(WRITE),
            lambda: real.registry.watching(near.fileno()),
            buffered.enable,
        )
    )
    assert real.registry.watching(near.fileno()) == (watcher,)


def test_a_child_is_told_so_in_every_document(poller: str, pair: MakePair) -> None:
    near, _far = pair()
    base, hop, leven = luaevent.new(poller), luahop.new(poller), levent.newbase(poller)
    event = leven.newevent(near.fileno(), print)
    evbuf = leven.newevbuf(near.fileno())
    in_child(
        lambda: refused(
            base.loop,
            lambda: base.addevent(near, luaevent.EV_READ, print),
            lambda: luaevent.bufferevent.new(base, near, None, None, print),
            lambda: hop.poll(0),
            hop.loop,
            hop.stop,
            lambda: hop.set_listener(near, "r", print),
            lambda: hop.remove_listener(near, "r"),
            lambda: hop.set_timeout({"s": 1}, print),
            lambda: leven.loop(0),
            leven.loop,
            event.start,
            evbuf.start,
            lambda: leven.newevent(near.fileno(), print),
            lambda: leven.newevbuf(near.fileno()),
        )
    )
    in_child(lambda: [each.close() for each in (base, hop, leven)])
    hop.close()


def test_a_child_can_have_a_loop_of_its_own(poller: str, pair: MakePair) -> None:
    near, far = pair()
    with Loop(poller) as loop:
        loop.watch(near, READ, print)

        def own() -> None:
            calls: list[int] = []
            far.send(b"x")
            with Loop(poller) as mine:
                mine.watch(near, READ, calls.append)
                mine.turn(5)
            near.recv(1)
            assert calls == [READ]

        in_child(own)


@pytest.mark.parametrize("act", ["turn", "run"])
@pytest.mark.parametrize("ready", [1, 3])
def test_a_callback_that_forks_ends_the_turn_in_the_child(
    real: Loop, pair: MakePair, ready: int, act: str
) -> None:
    """The child comes back into `run`, and must not go on with the parent's work there."""
    calls: list[str] = []
    told, tell = os.pipe()

    def callback(flags: int) -> None:
        calls.append("parent")
        if len(calls) > 1:
            return
        if os.fork() == 0:
            calls[:] = ["child"]
        else:
            os.wait()

    for _ in range(ready):
        near, far = pair()
        far.send(b"x")
        real.watch(near, READ, callback)
    real.after(0, calls.append, "timer")
    real.post(real.stop)
    mine = os.getpid()
    try:
        getattr(real, act)()
    except ForkedError:
        os.write(tell, repr(calls).encode())
        os._exit(0)
    finally:
        if os.getpid() != mine:
            os._exit(1)
    assert os.read(told, 100) == b"['child']"
    assert calls == ["parent"] * ready + ["timer"]
    os.close(told)
    os.close(tell)


def test_a_signal_handler_may_fork_during_a_wait(real: Loop, pair: MakePair) -> None:
    """The child comes back into the kernel's wait, on descriptors that are its parent's."""
    real.watch(pair()[0], READ, print)
    statuses: list[int] = []

    def handler(number: int, frame: object) -> None:
        if child := os.fork():
            statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            real.stop()

    before = signal.signal(signal.SIGUSR1, handler)
    sender = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    mine = os.getpid()
    sender.start()
    try:
        real.run()
    except ForkedError:
        os._exit(5)
    finally:
        if os.getpid() != mine:
            os._exit(1)
        sender.join()
        signal.signal(signal.SIGUSR1, before)
    assert statuses == [5]


def test_a_callback_that_ends_the_child_ends_it(poller: str, pair: MakePair) -> None:
    """SystemExit must come out as it is, whatever an event does when its callback raises."""
    near, far = pair()
    far.send(b"x")
    base = luaevent.new(poller)
    statuses: list[int] = []

    def callback(flags: int) -> int:
        child = os.fork()
        if child == 0:
            sys.exit(7)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        return luaevent.LEAVE

    event = base.addevent(near, luaevent.EV_READ, callback, 60)
    mine = os.getpid()
    try:
        base.loop()
    except BaseException as error:
        if os.getpid() == mine:
            raise
        os._exit(error.code if isinstance(error, SystemExit) else 99)  # type: ignore[arg-type]  # it is a number
    assert statuses == [7]
    event.close()


def test_a_signal_in_a_child_writes_into_no_file_of_the_parent(real: Loop, pair: MakePair) -> None:
    """The parent runs, and lends its pipe to `set_wakeup_fd`; the child must not write there."""
    seen: list[int] = []

    def forks() -> None:
        def check() -> None:
            before = signal.set_wakeup_fd(-1)
            assert before == -1, before

        in_child(check)
        seen.append(1)
        real.stop()

    real.post(forks)
    real.run(forever=True)
    assert seen == [1]
