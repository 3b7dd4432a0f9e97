"""levent, module functions: newbase and fdfromfile."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import IO, Any

import pytest

from looptck.protocols.levent import LOOP_NAMES, Levent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.must_return import must_return


def _reader(driver: LeventDriver, name: str, fd: int) -> None:
    """A started event that stops when it is called."""
    event = driver.event(name, fd, "r", lambda *_: event.stop())
    event.start()


@rule("levent.newbase")
@pytest.mark.parametrize("name", LOOP_NAMES)
def test_a_base_has_the_functions_of_a_base(levent: Levent, name: str) -> None:
    """A second base is asked too, since a module may hand out its first one ready-made."""
    for base in (levent.newbase(), levent.newbase()):
        assert callable(getattr(base, name, None)), f"what newbase() returned has no {name}"


@rule("levent.newbase")
@pytest.mark.parametrize("what", ["events", "buffered events"])
def test_a_pass_serves_the_events_of_its_own_base(
    levent: Levent, channels: Channels, what: str
) -> None:
    """Three bases exist from the beginning; neither the first nor the last one runs first."""
    bases = [LeventDriver(levent) for _ in range(3)]
    for driver in bases:
        near, far = channels.pair()
        far.send(b"x")
        if what == "events":
            _reader(driver, "read", near.fileno())
        else:
            driver.evbuf(near.fileno()).start()
    for at in (1, 0, 2):
        waiting = [
            (number, other)
            for number, other in enumerate(bases)
            if number != at and not other.trace
        ]
        assert bases[at].until_count("read"), (
            f"base {at + 1} of 3 had something ready, and its own loop(0) did not call it"
        )
        bases[at].run_idle(3)
        for number, other in waiting:
            assert not other.count("read"), (
                f"loop(0) of base {at + 1} called what base {number + 1} had made"
            )
    for driver in bases:
        driver.stop_all()


@rule("levent.newbase")
@pytest.mark.parametrize("busy", ["made before", "made after"])
@pytest.mark.parametrize("with_data", [False, True], ids=["silent", "ready"])
def test_the_loop_of_a_fresh_base_returns_beside_a_busy_base(
    levent: Levent, channels: Channels, busy: str, with_data: bool
) -> None:
    """No event of the base is active, so its loop has to return at once."""
    near, far = channels.pair()
    if with_data:
        far.send(b"x")
    fresh = levent.newbase() if busy == "made after" else None
    other = LeventDriver(levent)
    _reader(other, "read", near.fileno())
    with must_return("the loop() of a fresh base"):
        (fresh or levent.newbase()).loop()
    other_calls = len(other.trace)
    other.stop_all()
    assert not other_calls, "the loop() of a fresh base called an event of another one"


@rule("levent.newbase")
def test_two_bases_may_watch_one_file(levent: Levent, channels: Channels) -> None:
    """The first base stops watching before the second looks: readiness must not get lost."""
    near, far = channels.pair()
    far.send(b"unread")
    bases = [LeventDriver(levent), LeventDriver(levent)]
    for at, driver in enumerate(bases, 1):
        _reader(driver, f"of base {at}", near.fileno())
    for at, driver in enumerate(bases, 1):
        assert driver.until_count(f"of base {at}"), (
            f"two bases watched one file with data; the event of base {at} was not called"
        )
    for driver in bases:
        driver.stop_all()


@rule("levent.newbase")
def test_a_base_that_is_dropped_takes_nothing_from_another(
    levent: Levent, channels: Channels
) -> None:
    """Both bases watched the same file; the clean-up of the dropped one may remove too much."""
    near, far = channels.pair()
    stays, goes = LeventDriver(levent), LeventDriver(levent)
    _reader(stays, "read", near.fileno())
    _reader(goes, "dropped", near.fileno())
    goes.stop_all()
    del goes
    far.send(b"x")
    assert stays.until_count("read"), "a base lost its event when another base was dropped"
    stays.stop_all()


def _pipe(channels: Channels) -> IO[Any]:
    return open(channels.pipe()[0].fd, closefd=False)


def _high(channels: Channels) -> IO[Any]:
    twin = channels.numbered(channels.pair()[0], 700)
    return open(twin.fileno(), "rb", closefd=False)


# {kind of file: how to open one}
_FILES: dict[str, Callable[[Channels], IO[Any]]] = {
    "text": lambda _: tempfile.TemporaryFile("w+"),  # noqa: SIM115  # the test has it closed
    "buffered": lambda _: tempfile.TemporaryFile("w+b"),  # noqa: SIM115  # the test has it closed
    "raw": lambda _: tempfile.TemporaryFile("w+b", buffering=0),  # noqa: SIM115  # the test has it closed
    "read only": lambda _: open(__file__, "rb"),  # noqa: SIM115  # the test has it closed
    "write only": lambda _: open(os.devnull, "w"),  # noqa: SIM115  # the test has it closed
    "a pipe": _pipe,
    "a high number": _high,
    "standard input": lambda _: open(0, closefd=False),  # noqa: SIM115  # the test has it closed
    "standard output": lambda _: open(1, "wb", closefd=False),  # noqa: SIM115  # the test has it closed
    "standard error": lambda _: open(2, "w", closefd=False),  # noqa: SIM115  # the test has it closed
}


@rule("levent.fdfromfile")
@pytest.mark.parametrize("kind", _FILES)
def test_fdfromfile_gives_the_number_of_an_open_file(
    levent: Levent, channels: Channels, kind: str
) -> None:
    """The test asks twice, as the first answer may be a number made for the call."""
    file = _FILES[kind](channels)
    channels.keep(file.close)
    for _ in range(2):
        try:
            number = levent.fdfromfile(file)
        except Exception as error:
            raise AssertionError(
                f"fdfromfile refused an open file ({kind}) with {type(error).__name__}"
            ) from error
        assert isinstance(number, int), f"fdfromfile gave {type(number).__name__}, not an int"
        assert number == file.fileno(), (
            f"fdfromfile gave another number than that of the file: {kind}"
        )
        assert not file.closed, f"fdfromfile closed the file: {kind}"


@rule("levent.fdfromfile")
def test_fdfromfile_tells_files_apart(levent: Levent) -> None:
    """The files have one name and type, and are open together; each closed one leaves its number
    free."""
    files = [open(__file__, "rb") for _ in range(4)]  # noqa: SIM115  # closed in the middle of the test
    try:
        assert [levent.fdfromfile(file) for file in files] == [file.fileno() for file in files], (
            "four files of one name are open, and their numbers were mistaken"
        )
        for at in (2, 0):
            files[at].close()
            with tempfile.TemporaryFile() as fresh:
                told, number = levent.fdfromfile(fresh), fresh.fileno()
            assert told == number, "the number of a new file was mistaken"
            files[at] = open(__file__, "rb")  # noqa: SIM115  # closed at the end of the test
        assert [levent.fdfromfile(file) for file in files] == [file.fileno() for file in files], (
            "some files were closed and opened anew, and their numbers were mistaken"
        )
    finally:
        for file in files:
            file.close()


@rule("levent.fdfromfile")
def test_fdfromfile_leaves_the_file_as_it_is(levent: Levent) -> None:
    """The test asks for the number between two writes, and between two reads."""
    with tempfile.TemporaryFile("w+") as file:
        file.write("one ")
        levent.fdfromfile(file)
        file.write("two three")
        file.seek(0)
        first = file.read(4)
        levent.fdfromfile(file)
        assert (first, file.read()) == ("one ", "two three"), (
            "the file was asked for its number between two reads and writes, and lost its place"
        )
