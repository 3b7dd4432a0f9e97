"""The modelled kqueue tells of files as the facts say; each test names its fact's number.

`fixtures/kernels/facts.md` has the facts.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from pathlib import Path

import pytest

if not hasattr(select, "epoll"):
    pytest.skip("the kqueue of fixtures/kernels stands on Linux's epoll", allow_module_level=True)

from kernels.systems import (
    EV_ADD,
    EV_DELETE,
    EV_EOF,
    EV_NODATA,
    NOTE_LOWAT,
)

from .kqueue_probe import MakePair, MakePipe, Probe, fill


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
