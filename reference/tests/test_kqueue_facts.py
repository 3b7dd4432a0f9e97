"""The kqueue of fixtures/kernels answers as the facts say; each test names its fact's number."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

if not hasattr(select, "epoll"):
    pytest.skip("the kqueue of fixtures/kernels stands on Linux's epoll", allow_module_level=True)

sys.path.insert(0, str(Path(__file__).parents[2] / "fixtures"))

from kernels.kqueue import kernel
from kernels.systems import (
    EV_ADD,
    EV_CLEAR,
    EV_DELETE,
    EV_DISABLE,
    EV_DISPATCH,
    EV_ENABLE,
    EV_EOF,
    EV_ERROR,
    EV_NODATA,
    EV_ONESHOT,
    EV_RECEIPT,
    NOTE_LOWAT,
    SYSTEMS,
    System,
)

MakePair = Callable[[], tuple[socket.socket, socket.socket]]
MakePipe = Callable[[], tuple[int, int]]


class Probe:
    """One kqueue of a system, with short words for what the tests do."""

    def __init__(self, name: str) -> None:
        self.system: System = SYSTEMS[name]
        self.kernel: Any = kernel(name)
        self.queue: Any = self.kernel.kqueue()
        self.read: int = self.kernel.KQ_FILTER_READ
        self.write: int = self.kernel.KQ_FILTER_WRITE

    def change(self, fd: int, filter_: int, flags: int = EV_ADD) -> Any:
        return self.kernel.kevent(fd, filter_, flags)

    def tell(self, fd: int, filter_: int, flags: int = EV_ADD) -> None:
        self.queue.control([self.change(fd, filter_, flags)], 0)

    def answer_to(self, fd: int, filter_: int, flags: int = EV_ADD) -> int:
        """The errno with which the change is refused, or 0."""
        try:
            self.tell(fd, filter_, flags)
        except OSError as error:
            return error.errno or 0
        return 0

    def events(self, room: int = 8, timeout: float | None = 0) -> list[Any]:
        found: list[Any] = self.queue.control(None, room, timeout)
        return found


@pytest.fixture(params=SYSTEMS)
def probe(request: pytest.FixtureRequest) -> Iterator[Probe]:
    made = Probe(request.param)
    yield made
    made.queue.close()


def fill(fd: int) -> None:
    """Write to *fd* until the kernel takes no more."""
    os.set_blocking(fd, False)
    with suppress(BlockingIOError):
        while True:
            os.write(fd, bytes(65536))


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


def test_fact_14_two_filters_are_two_entries(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"x")
    probe.tell(near.fileno(), probe.read)
    probe.tell(near.fileno(), probe.write)
    assert [event.filter for event in probe.events()] == [probe.write, probe.read]


def test_fact_15_data_is_the_bytes_to_read(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"four")
    probe.tell(near.fileno(), probe.read)
    assert probe.events()[0].data == 4


@pytest.mark.parametrize("filter_", ["read", "write"])
def test_fact_15_a_low_water_mark_is_waited_for(probe: Probe, pair: MakePair, filter_: str) -> None:
    near, far = pair()
    far.send(b"four")
    there = 4 if filter_ == "read" else 4096
    make = probe.kernel.kevent
    for mark, told in ((there, 1), (1 << 30, 0)):
        change = make(near.fileno(), getattr(probe, filter_), EV_ADD, NOTE_LOWAT, mark)
        assert len(probe.queue.control([change], 8, 0)) == told
    far.close()
    assert len(probe.events()) == 1, "the end is told below the mark"


def test_fact_15_a_socket_has_a_low_water_mark(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 3)
    probe.tell(near.fileno(), probe.read)
    far.send(b"xy")
    assert probe.events() == []
    far.send(b"z")
    assert probe.events()[0].data == 3


def test_fact_16_the_end_comes_with_what_is_unread(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"four")
    far.shutdown(socket.SHUT_WR)
    probe.tell(near.fileno(), probe.read)
    (event,) = probe.events()
    assert (event.flags & EV_EOF, event.data) == (EV_EOF, 4)
    assert bool(event.flags & EV_ADD) == probe.system.keeps_add
    near.recv(8)
    assert probe.events()[0].flags & EV_EOF, "the end is ready for ever"


def test_fact_18_a_listener_is_ready_for_a_client(probe: Probe) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        probe.tell(server.fileno(), probe.read)
        assert probe.events() == []
        with socket.create_connection(server.getsockname()):
            assert probe.events(timeout=5)[0].data == 1
            with socket.create_connection(server.getsockname()):
                assert probe.events(timeout=5)[0].data == 2


def test_fact_20_a_half_close_of_the_peer_spares_writing(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    far.shutdown(socket.SHUT_WR)
    probe.tell(near.fileno(), probe.write)
    assert not probe.events()[0].flags & EV_EOF


def test_fact_20_an_own_shutdown_ends_writing(probe: Probe, pair: MakePair) -> None:
    near, _far = pair()
    near.shutdown(socket.SHUT_WR)
    probe.tell(near.fileno(), probe.write)
    assert probe.events()[0].flags & EV_EOF


def test_fact_20_a_closed_peer_ends_both_filters(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    far.close()
    probe.tell(near.fileno(), probe.read)
    probe.tell(near.fileno(), probe.write)
    assert [event.flags & EV_EOF for event in probe.events()] == [EV_EOF] * 2


def test_fact_17_and_21_a_refused_connect_keeps_its_error(probe: Probe) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        address = holder.getsockname()
    with socket.socket() as client:
        client.setblocking(False)
        client.connect_ex(address)
        probe.tell(client.fileno(), probe.write)
        (event,) = probe.events(timeout=5)
        assert event.flags & EV_EOF
        assert event.fflags == errno.ECONNREFUSED
        taken = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        assert taken == errno.ECONNREFUSED, "to look at the error took it"


def test_fact_19_a_stream_is_writable_when_connected(probe: Probe) -> None:
    with socket.socket() as client:
        probe.tell(client.fileno(), probe.write)
        assert probe.events() == []


def test_fact_22_a_pipe_ends_with_its_writer(probe: Probe, pipe: MakePipe) -> None:
    reader, writer = pipe()
    os.write(writer, b"ab")
    probe.tell(reader, probe.read)
    os.close(writer)
    (event,) = probe.events()
    assert (event.flags & EV_EOF, event.data) == (EV_EOF, 2)
    assert not event.flags & EV_NODATA
    os.read(reader, 2)
    (event,) = probe.events()
    assert (event.flags & EV_EOF, event.data) == (EV_EOF, 0)
    assert bool(event.flags & EV_NODATA) == (probe.system.name == "dragonfly")


def test_fact_23_a_reader_that_goes_ends_writing(probe: Probe, pipe: MakePipe) -> None:
    reader, writer = pipe()
    probe.tell(writer, probe.write)
    assert probe.events()[0].data > 0
    os.close(reader)
    (event,) = probe.events()
    assert (event.flags & EV_EOF, event.data) == (EV_EOF, 0)


def test_fact_24_the_other_end_is_refused_or_silent(probe: Probe, pipe: MakePipe) -> None:
    reader, _writer = pipe()
    assert probe.answer_to(reader, probe.write) == probe.system.other_end
    assert probe.events() == []


def test_fact_25_a_pipe_whose_reader_is_gone(probe: Probe, pipe: MakePipe) -> None:
    reader, writer = pipe()
    os.close(reader)
    assert probe.answer_to(writer, probe.write) == probe.system.reader_is_gone
    expected = [] if probe.system.reader_is_gone else [EV_EOF]
    assert [event.flags & EV_EOF for event in probe.events()] == expected


def test_fact_27_the_writer_of_a_full_pipe(probe: Probe, pipe: MakePipe) -> None:
    reader, writer = pipe()
    fill(writer)
    probe.tell(writer, probe.write)
    assert probe.events() == []
    os.close(reader)
    assert len(probe.events()) == (0 if probe.system.forgets_full_writers else 1)
    probe.tell(writer, probe.write)
    assert probe.events()[0].flags & EV_EOF


def test_fact_28_close_removes_the_interest(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"x")
    twin = os.dup(near.fileno())
    number = near.fileno()
    probe.tell(number, probe.read)
    near.close()
    try:
        assert probe.events() == []
        assert probe.answer_to(number, probe.read, EV_DELETE) == errno.EBADF
    finally:
        os.close(twin)


def test_fact_29_a_dup_has_interests_of_its_own(probe: Probe, pair: MakePair) -> None:
    near, far = pair()
    far.send(b"x")
    twin = os.dup(near.fileno())
    try:
        probe.tell(near.fileno(), probe.read)
        probe.tell(twin, probe.read)
        probe.tell(near.fileno(), probe.read, EV_DELETE)
        assert [event.ident for event in probe.events()] == [twin]
    finally:
        os.close(twin)


def test_fact_30_a_new_file_starts_with_nothing(probe: Probe, pair: MakePair) -> None:
    near, _far = pair()
    number = near.fileno()
    probe.tell(number, probe.read)
    other, peer = pair()
    peer.send(b"x")
    near.close()
    assert os.dup2(other.fileno(), number) == number
    try:
        assert probe.events() == []
        assert probe.answer_to(number, probe.read, EV_DELETE) == errno.ENOENT
    finally:
        os.close(number)


def test_fact_31_a_child_finds_it_closed(probe: Probe) -> None:
    child = os.fork()
    if not child:
        try:
            probe.queue.control(None, 0)
        except ValueError:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_fact_31_a_child_s_number_is_free(probe: Probe) -> None:
    number = probe.queue.fileno()
    child = os.fork()
    if not child:
        try:
            os.fstat(number)
        except OSError:
            probe.queue.close()
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert probe.events() == [], "the parent's works as before"


def test_fact_33_a_file_is_readable_up_to_its_end(probe: Probe, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"four")
    with path.open("rb") as file:
        probe.tell(file.fileno(), probe.read)
        assert probe.events()[0].data == 4
        os.lseek(file.fileno(), 0, os.SEEK_END)
        assert probe.events() == []


def test_fact_34_a_device_without_a_filter_is_refused(probe: Probe) -> None:
    with Path(os.devnull).open("rb") as null:
        assert probe.answer_to(null.fileno(), probe.read) == probe.system.device


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


def test_fact_36_the_end_of_a_fifo(probe: Probe, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    probe.tell(reader, probe.read)
    writer = os.open(tmp_path / "fifo", os.O_WRONLY)
    os.write(writer, b"x")
    assert probe.events()[0].data == 1
    os.close(writer)
    ends = [bool(event.flags & EV_EOF) for event in probe.events()]
    os.close(reader)
    assert ends == [not probe.system.name.startswith("macos")]


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
    probe.tell(near.fileno(), probe.read, EV_ENABLE)
    assert len(probe.events()) == 1
