"""The kqueue poller, over a model of each kernel and over recorded conversations."""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tideloop.pollers import BOTH, NOTHING, READ, WRITE, Poller, kqueue

from .conftest import SIMULATED

Pair = Callable[[], tuple[socket.socket, socket.socket]]
Pipe = Callable[[], tuple[int, int]]

CONVERSATIONS = json.loads((Path(__file__).parent / "kqueue_conversations.json").read_text())


@pytest.fixture(params=SIMULATED)
def poller(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = SIMULATED[request.param]()
    yield made
    made.close()


def told(poller: Poller, timeout: float = 0) -> dict[int, int]:
    return dict(poller.wait(timeout))


def test_a_pipe_whose_reader_is_gone_is_ready(poller: Any, pipe: Pipe) -> None:
    reader, writer = pipe()
    os.close(reader)
    poller.change(writer, NOTHING, WRITE)
    for timeout in (0, 5, None):
        assert poller.wait(timeout) == [(writer, WRITE)]
    poller.change(writer, WRITE, WRITE)
    poller.change(writer, WRITE, NOTHING)
    assert told(poller) == {}


def test_a_broken_pipe_that_is_closed_is_noticed(poller: Any, pipe: Pipe) -> None:
    """Some kernels refused it; nobody but the poller knows of it there."""
    reader, writer = pipe()
    os.close(reader)
    poller.change(writer, NOTHING, WRITE)
    os.close(writer)
    assert told(poller).get(writer, NOTHING) == NOTHING
    with pytest.raises(OSError, match="Bad file descriptor"):
        poller.change(writer, WRITE, WRITE)
    poller.change(writer, WRITE, NOTHING)
    assert told(poller) == {}


def test_a_broken_pipe_whose_number_is_reused(poller: Any, pipe: Pipe, pair: Pair) -> None:
    reader, writer = pipe()
    os.close(reader)
    poller.change(writer, NOTHING, WRITE)
    near, _far = pair()
    os.dup2(near.fileno(), writer)
    assert told(poller) == {}
    with pytest.raises(FileNotFoundError):
        poller.change(writer, WRITE, WRITE)
    poller.change(writer, NOTHING, WRITE)
    assert told(poller) == {writer: WRITE}


def test_the_writer_of_a_full_pipe_is_told_of_the_end(poller: Any, pipe: Pipe) -> None:
    """NetBSD tells it when the interest is added again, which the poller does."""
    reader, writer = pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(65536))
    poller.change(writer, NOTHING, WRITE)
    assert told(poller, 0.01) == {}
    os.close(reader)
    assert poller.wait(5) == [(writer, WRITE)]


def test_a_direction_that_a_pipe_lacks_is_silent(poller: Any, pipe: Pipe) -> None:
    reader, writer = pipe()
    poller.change(reader, NOTHING, BOTH)
    assert told(poller) == {}
    os.write(writer, b"x")
    assert told(poller) == {reader: READ}
    poller.change(reader, BOTH, READ)
    poller.change(reader, READ, WRITE)
    assert told(poller) == {}
    poller.change(reader, WRITE, NOTHING)


def test_a_direction_that_a_pipe_has_is_refused_aloud(
    poller: Any, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch that is never told, and raises nothing, would be a wait without end."""
    reader, writer = pipe()
    monkeypatch.setattr(poller, "_tell", lambda *arguments: errno.EINVAL)
    for end, direction in ((reader, READ), (writer, WRITE)):
        with pytest.raises(OSError, match="Invalid argument"):
            poller.change(end, NOTHING, direction)
    poller.change(reader, NOTHING, WRITE)
    poller.change(writer, NOTHING, READ)


def test_the_reuse_of_a_silent_pipe_is_noticed(poller: Any, pipe: Pipe, pair: Pair) -> None:
    """Some kernels refused the direction; nobody but the poller knows of it there."""
    reader, _writer = pipe()
    poller.change(reader, NOTHING, WRITE)
    near, _far = pair()
    os.dup2(near.fileno(), reader)
    with pytest.raises(FileNotFoundError):
        poller.change(reader, WRITE, BOTH)
    poller.change(reader, NOTHING, BOTH)
    assert told(poller) == {reader: WRITE}


def test_a_device_is_asked_by_poll(poller: Any, pair: Pair) -> None:
    """It wakes a sleep, and the sockets beside it are told as before."""
    near, far = pair()
    poller.change(near.fileno(), NOTHING, READ)
    number = os.open(os.devnull, os.O_RDWR)
    poller.change(number, NOTHING, READ)
    assert poller.wait(None) == [(number, READ)]
    poller.change(number, READ, WRITE)
    far.send(b"x")
    assert told(poller) == {number: WRITE, near.fileno(): READ}
    os.dup2(near.fileno(), number)
    with pytest.raises(FileNotFoundError):
        poller.change(number, WRITE, READ)
    os.close(number)
    assert told(poller) == {near.fileno(): READ}


def test_a_sleep_with_a_device_ends_for_a_socket(poller: Any, pair: Pair) -> None:
    """The device is silent: a terminal's kind of file that only the kqueue refuses."""
    near, far = pair()
    silent, _peer = pair()
    poller.change(near.fileno(), NOTHING, READ)
    poller._devices[silent.fileno()] = READ
    assert told(poller, 0.01) == {}
    far.send(b"x")
    assert poller.wait(None) == [(near.fileno(), READ)]


def test_a_changed_number_that_was_reused_is_noticed(poller: Any, pair: Pair, pipe: Pipe) -> None:
    near, _ = pair()
    reader, _writer = pipe()
    number = os.dup(near.fileno())
    poller.change(number, NOTHING, READ)
    os.dup2(reader, number)
    for new in (READ, BOTH):
        with pytest.raises(FileNotFoundError):
            poller.change(number, READ, new)
    poller.change(number, NOTHING, READ)
    os.close(number)


@pytest.mark.parametrize("seconds", [-1, 1e8, 2e8, 2**31, 1e18, float("inf")])
def test_any_budget_is_taken(poller: Any, pair: Pair, seconds: float) -> None:
    near, _ = pair()
    poller.change(near.fileno(), NOTHING, WRITE)
    assert poller.wait(seconds) == [(near.fileno(), WRITE)]


def test_a_child_keeps_the_object_of_its_parent(poller: Any) -> None:
    """It is not collected there: an older Python would close another file's number."""
    child = os.fork()
    if not child:
        os._exit(0 if poller._kqueue in kqueue._kept else 1)
    assert os.waitpid(child, 0)[1] == 0


class Scripted:
    """A kqueue that plays one recorded conversation: each call, and what came of it."""

    def __init__(self, calls: list[dict[str, Any]], kevent: Any) -> None:
        self._calls = iter(calls)
        self._kevent = kevent

    def control(self, changes: Any, room: int, timeout: float | None) -> list[Any]:
        call = next(self._calls)
        asked = [[change.ident, change.filter, change.flags] for change in changes or ()]
        assert asked == call.get("changes", []), f"expected the changes of {call}, saw {asked}"
        if changes is None:
            assert room > len(call.get("events", [])), f"there was room for {room} entries"
        if number := call.get("errno"):
            raise OSError(getattr(errno, number), os.strerror(getattr(errno, number)))
        return [self._kevent(**event) for event in call.get("events", [])]

    def close(self) -> None:
        assert next(self._calls, None) is None, "the poller said less than was recorded"


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_recorded_conversation_is_held(
    name: str, pipe: Pipe, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers and kinds of files are the record's, and no kernel is asked."""
    record = CONVERSATIONS[name]
    model = SIMULATED["kqueue-sim:" + record["constants"]].kernel  # type: ignore[attr-defined]  # of our class
    scripted = Scripted(record["kernel"], model.kevent)
    members = {**vars(model), "kqueue": lambda: scripted}
    poller = type("P", (kqueue.KqueuePoller,), {"kernel": SimpleNamespace(**members)})()
    kind = {"socket": stat.S_IFSOCK, "pipe": stat.S_IFIFO, "device": stat.S_IFCHR}[record["kind"]]
    monkeypatch.setattr(os, "fstat", lambda fd: os.stat_result((kind, fd, *[0] * 8)))
    for verb, *arguments, expected in record["poller"]:
        if isinstance(expected, str):
            with pytest.raises({"OSError": OSError}.get(expected, FileNotFoundError)):
                getattr(poller, verb)(*arguments)
            continue
        answer = getattr(poller, verb)(*arguments)
        assert [list(each) for each in answer or []] == (expected or []), (verb, arguments)
    poller.close()
