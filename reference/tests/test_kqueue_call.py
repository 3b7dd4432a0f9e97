"""The modelled kqueue takes calls as the facts say; each test names its fact's number.

`fixtures/kernels/facts.md` has the facts.
"""

from __future__ import annotations

import errno
import select
import signal
import socket
import threading
import time
from typing import Any

import pytest

if not hasattr(select, "epoll"):
    pytest.skip("the kqueue of fixtures/kernels stands on Linux's epoll", allow_module_level=True)

from kernels.systems import (
    EV_ADD,
    EV_CLEAR,
    EV_DELETE,
    EV_DISABLE,
    EV_DISPATCH,
    EV_ENABLE,
    EV_ERROR,
    EV_ONESHOT,
    EV_RECEIPT,
)

from .kqueue_probe import MakePair, Probe, is_readable


def test_fact_01_changes_come_before_events(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"x")
    (event,) = probe.queue.control([probe.change(near.fileno(), probe.read)], 8, 0)
    assert (event.ident, event.filter) == (near.fileno(), probe.read)


def test_fact_02_a_failed_change_is_an_entry(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"x")
    wrong = probe.change(near.fileno(), probe.write, EV_DELETE)
    right = probe.change(near.fileno(), probe.read)
    (entry,) = probe.queue.control([wrong, right], 8, None)
    assert entry.flags & EV_ERROR
    assert (entry.ident, entry.data) == (near.fileno(), errno.ENOENT)
    (event,) = probe.events()
    assert event.filter == probe.read, "a change behind a failed one was not made"


def test_fact_03_entries_of_changes_come_alone(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"x")
    probe.tell(near.fileno(), probe.read)
    wrong = probe.change(near.fileno(), probe.write, EV_DELETE)
    entries = probe.queue.control([wrong], 8, None)
    assert [entry.flags & EV_ERROR for entry in entries] == [EV_ERROR]


def test_fact_04_without_room_the_first_error_ends_it(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"x")
    wrong = probe.change(near.fileno(), probe.write, EV_DELETE)
    with pytest.raises(FileNotFoundError):
        probe.queue.control([wrong, probe.change(near.fileno(), probe.read)], 0)
    assert probe.events() == []


def test_fact_05_a_receipt_is_an_entry(probe: Probe, pair: MakePair) -> None:
    near, _far = pair()
    receipt = probe.change(near.fileno(), probe.read, EV_ADD | EV_RECEIPT)
    (entry,) = probe.queue.control([receipt], 8, None)
    assert (entry.flags & EV_ERROR, entry.data) == (EV_ERROR, 0)


@pytest.mark.parametrize("room", [0, 1])
def test_fact_05_a_receipt_without_room_ends_it(probe: Probe, pair: MakePair, room: int) -> None:
    """The call succeeds, and the changes behind the receipt are not made."""
    near, far = pair()
    far.send(b"x")
    receipts = [probe.change(near.fileno(), probe.write, EV_ADD | EV_RECEIPT)] * (room + 1)
    assert probe.queue.control([*receipts, probe.change(near.fileno(), probe.read)], room) == []
    assert [event.filter for event in probe.events()] == [probe.write]


def test_fact_06_a_filter_of_0(probe: Probe, pair: MakePair) -> None:
    """FreeBSD passes over such a change; NetBSD reads by it; the others refuse it."""
    near, far = pair()
    far.send(b"x")
    taken = probe.system.name in ("freebsd", "netbsd")
    assert probe.answer_to(near.fileno(), 0) == (0 if taken else errno.EINVAL)
    assert len(probe.events()) == (1 if probe.system.name == "netbsd" else 0)


def test_fact_07_to_add_again_changes_udata_alone(probe: Probe, pair: MakePair) -> None:
    """Whether it is told once, or for each arrival, was said when it was added first."""
    near, far = pair()
    far.send(b"x")
    make = probe.kernel.kevent
    add = make(near.fileno(), probe.read, EV_ADD | EV_CLEAR, udata=1)
    again = make(near.fileno(), probe.read, EV_ADD, udata=2)
    assert [event.udata for event in probe.queue.control([add], 8, 0)] == [1]
    assert [event.udata for event in probe.queue.control([again], 8, 0)] == [2], "it looks again"
    assert probe.events() == [], "EV_CLEAR stays"


@pytest.mark.parametrize("verb", [EV_ENABLE, EV_DISABLE, EV_DELETE])
def test_fact_08_a_missing_interest_is_enoent(probe: Probe, pair: MakePair, verb: int) -> None:
    near, _far = pair()
    number = near.fileno()
    assert probe.answer_to(number, probe.read, verb) == errno.ENOENT
    near.close()
    assert probe.answer_to(number, probe.read, verb) == errno.EBADF


def test_fact_09_enable_reports_readiness_again(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"x")
    probe.tell(near.fileno(), probe.read)
    probe.tell(near.fileno(), probe.read, EV_DISABLE)
    assert probe.events() == []
    assert not is_readable(probe)
    probe.tell(near.fileno(), probe.read, EV_ENABLE)
    assert len(probe.events()) == 1


def test_fact_09_dispatch_and_enable(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"x")
    probe.tell(near.fileno(), probe.read, EV_ADD | EV_DISPATCH)
    assert len(probe.events()) == 1
    assert probe.events() == []
    probe.tell(near.fileno(), probe.read, EV_ENABLE)
    assert len(probe.events()) == (1 if probe.system.enable_looks_again else 0)


def test_fact_10_with_little_room_all_have_their_turn(probe: Probe, pair: MakePair) -> None:
    numbers = set()
    for _ in range(3):
        near, far = pair()
        far.send(b"x")
        probe.tell(near.fileno(), probe.read)
        numbers.add(near.fileno())
    for _ in range(3):
        assert {probe.events(room=1)[0].ident for _ in range(3)} == numbers


def test_fact_10_both_filters_have_their_turn(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"x")
    for filter_ in (probe.read, probe.write):
        probe.tell(near.fileno(), filter_)
    assert {probe.events(room=1)[0].filter for _ in range(2)} == {probe.read, probe.write}


def test_fact_11_no_room_does_not_sleep(probe: Probe) -> None:
    began = time.monotonic()
    assert probe.events(room=0, timeout=60) == []
    assert time.monotonic() - began < 30


def test_fact_13_a_kqueue_is_readable(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    probe.tell(near.fileno(), probe.read)
    assert probe.events() == []
    assert select.select([probe.queue.fileno()], [], [], 0)[0] == []
    far.send(b"x")
    assert select.select([probe.queue.fileno()], [], [], 5)[0] == [probe.queue.fileno()]
    outer = probe.kernel.kqueue()
    outer.control([probe.change(probe.queue.fileno(), probe.read)], 0)
    assert [(event.ident, event.data) for event in outer.control(None, 8, 0)] == [
        (probe.queue.fileno(), 1)
    ]
    with pytest.raises(OSError, match="Invalid argument"):
        outer.control([probe.change(probe.queue.fileno(), probe.write)], 0)
    outer.close()


def test_fact_13_an_object_is_made_from_a_number(probe: Probe, pair: MakePair) -> None:
    """Python's `fromfd` takes any number; whether it is a kqueue's shows when it is used."""
    near, far = pair()
    far.send(b"x")
    twin = probe.kernel.kqueue.fromfd(probe.queue.fileno())
    twin.control([probe.change(near.fileno(), probe.read)], 0)
    assert len(probe.events()) == 1
    twin.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        probe.events()
    with pytest.raises(OSError, match="Bad file descriptor"):
        probe.kernel.kqueue.fromfd(near.fileno()).control(None, 1, 0)


def test_fact_38_the_longest_timeout(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"x")
    probe.tell(near.fileno(), probe.read)
    if probe.system.longest is None:
        assert len(probe.events(timeout=3e9)) == 1
    else:
        assert len(probe.events(timeout=probe.system.longest)) == 1
        with pytest.raises(OSError, match="Invalid argument"):
            probe.events(timeout=probe.system.longest + 1)


def test_fact_41_a_signal_does_not_end_the_wait(probe: Probe, pair: MakePair) -> None:
    """The handler runs in the middle of it."""
    near, far = pair()
    probe.tell(near.fileno(), probe.read)
    before = signal.signal(signal.SIGALRM, lambda *_: far.send(b"x"))
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        assert len(probe.events(timeout=30)) == 1
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), 1e10, "1", [1]])
def test_fact_39_no_such_timeout(probe: Probe, timeout: Any) -> None:
    with pytest.raises(TypeError):
        probe.events(timeout=timeout)
    with pytest.raises(ValueError, match="positive"):
        probe.events(timeout=-1)


def test_fact_40_no_sleep_is_too_short(probe: Probe) -> None:
    began = time.monotonic()
    assert probe.events(timeout=0.0101) == []
    assert time.monotonic() - began >= max(0.0101, 3 * probe.system.tick)


def test_fact_42_the_filters_have_the_system_s_numbers(probe: Probe) -> None:
    expected = (0, 1) if probe.system.name == "netbsd" else (-1, -2)
    assert (probe.read, probe.write) == expected


def test_fact_43_python_has_no_more_names(probe: Probe) -> None:
    for name in ("KQ_EV_RECEIPT", "KQ_EV_DISPATCH", "KQ_FILTER_USER", "KQ_NOTE_TRIGGER"):
        assert not hasattr(probe.kernel, name)


def test_fact_44_kevents_compare_by_their_fields(probe: Probe) -> None:
    kevent = probe.kernel.kevent
    assert kevent(1) == kevent(1, probe.read, EV_ADD)
    assert kevent(1) < kevent(2)
    assert kevent(1) != 1
    with pytest.raises(TypeError):
        hash(kevent(1))
    with socket.socket() as file:
        assert kevent(file).ident == file.fileno()
    with pytest.raises(OverflowError):
        kevent(-1)
    with pytest.raises(TypeError):
        kevent("1")
    for made in (kevent, probe.kernel.kqueue):
        with pytest.raises(TypeError, match="acceptable base type"):
            type("Mine", (made,), {})


def test_fact_45_a_closed_one_says_so(probe: Probe) -> None:
    probe.queue.close()
    probe.queue.close()
    assert probe.queue.closed
    with pytest.raises(ValueError, match="closed kqueue"):
        probe.queue.control(None, 0)


def test_fact_47_another_thread_may_change_it(probe: Probe, pair: MakePair) -> None:
    """It changes the kqueue while this thread sleeps in it, or before."""
    near, far = pair()
    far.send(b"x")
    thread = threading.Thread(target=probe.tell, args=(near.fileno(), probe.read))
    thread.start()
    assert len(probe.events(timeout=30)) == 1
    thread.join()


def test_fact_48_clear_reports_each_arrival(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"x")
    probe.tell(near.fileno(), probe.read, EV_ADD | EV_CLEAR)
    assert len(probe.events()) == 1
    assert probe.events() == []
    near.recv(1)
    assert probe.events() == []
    far.send(b"y")
    assert len(probe.events()) == 1, "as many bytes as before are an arrival too"


def test_fact_48_clear_of_both_filters(probe: Probe, pair: MakePair) -> None:
    """The kqueue's own number is readable while there is something to tell, and not longer."""
    near, far = pair()
    for filter_ in (probe.read, probe.write):
        probe.tell(near.fileno(), filter_, EV_ADD | EV_CLEAR)
    far.send(b"x")
    assert is_readable(probe)
    assert len(probe.events(room=1)) == len(probe.events(room=1)) == 1
    assert probe.events() == []
    assert not is_readable(probe)
    far.send(b"y")
    assert is_readable(probe)
    assert [event.filter for event in probe.events(timeout=5)] == [probe.read]


def test_fact_48_oneshot_deletes(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"x")
    probe.tell(near.fileno(), probe.read, EV_ADD | EV_ONESHOT)
    assert len(probe.events()) == 1
    assert probe.answer_to(near.fileno(), probe.read, EV_DELETE) == errno.ENOENT


def test_fact_48_dispatch_disables(probe: Probe, pair: MakePair) -> None:
    """An arrival after the delivery is told after EV_ENABLE, on each system."""
    near, far = pair()
    far.send(b"x")
    probe.tell(near.fileno(), probe.read, EV_ADD | EV_DISPATCH)
    assert len(probe.events()) == 1
    far.send(b"y")
    assert probe.events() == []
    assert not is_readable(probe)
    probe.tell(near.fileno(), probe.read, EV_ENABLE)
    assert len(probe.events()) == 1
