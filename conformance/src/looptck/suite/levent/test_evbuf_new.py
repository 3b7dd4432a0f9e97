"""levent, buffered events: making them, their files, their watermarks."""

from __future__ import annotations

import io

import pytest

from looptck.rules.markers import rule
from looptck.subjects.call_counter import unwrap
from looptck.testing.buffer_channels import ReceivingBuffer, SendingBuffer, receive
from looptck.testing.channels import Channels, fill
from looptck.testing.hop_driver import error_of
from looptck.testing.levent_driver import Act, LeventDriver
from looptck.testing.observation import Observation


class Line:
    """An object that a program might use as a file: it knows its descriptor, and is no file."""

    def __init__(self, number: int) -> None:
        self.number = number


@rule("levent.newevbuf.creates")
def test_each_newevbuf_makes_another_buffered_event(
    driver: LeventDriver, channels: Channels
) -> None:
    """All share the callbacks, so that only their files tell them apart."""
    files = [channels.pair()[0].fileno() for _ in range(3)]
    made = [driver.base.newevbuf(file, print, print, print) for file in files]
    assert len({id(unwrap(each)) for each in made}) == len(made), (
        "newevbuf() returned the same buffered event twice"
    )


@rule("levent.newevbuf.creates")
def test_a_reused_number_brings_no_old_bytes_back(driver: LeventDriver, channels: Channels) -> None:
    """Bytes were in both buffers when the first one was stopped and its file closed."""
    old = ReceivingBuffer(driver, channels.pair(), name="old")
    old.evbuf.start()
    old.send_bytes(b"not taken")
    old.run_until_received()
    fill(old.near)
    old.evbuf.write(b"not sent")
    driver.run_idle()
    number = old.near.fileno()
    old.evbuf.stop()
    old.near.close()
    old.far.close()
    before = len(driver.trace)
    new = ReceivingBuffer(driver, channels.pair_at(number), name="new")
    new.evbuf.start()
    driver.run_idle()
    came = receive(new.far, 100)
    assert not came, f"the peer of a new file got {came!r}, of one that had its number"
    new.send_bytes(b"new")
    driver.run_idle()
    got = new.take_all()
    assert got == b"new"[: len(got)], (
        f"read() of a new buffered event gave {got!r}; b'new' was sent to it, and the rest to one "
        "that had its number"
    )
    stale = [entry for entry in driver.trace[before:] if entry.startswith("old")]
    assert not stale, f"{stale[0]} was called: a stopped one, whose number is another file's now"


@rule("levent.newevbuf.creates")
def test_the_first_callback_is_for_data_and_the_second_for_room(
    driver: LeventDriver, channels: Channels
) -> None:
    """Nothing is sent while something is written; other rules judge whether each is called."""
    sender = SendingBuffer(driver, channels)
    sender.start()
    sender.write(10)
    driver.run_idle()
    assert not driver.count("read"), "the first callback ran, and no byte had been sent"
    assert not driver.count("error"), "the third callback ran, and there was no error"
    sender.far.send(b"data")
    driver.run_idle()
    assert not driver.count("error"), "the third callback ran, and there was no error"


@rule("levent.newevbuf.creates")
def test_an_object_of_a_type_with_an_accessor_is_a_file(
    driver: LeventDriver, channels: Channels
) -> None:
    """Only the accessor knows the number."""
    driver.levent.setfdaccessor(Line, lambda line: line.number)
    near, far = channels.pair()
    evbuf = driver.evbuf(Line(near.fileno()))
    evbuf.start()
    far.send(b"hello")
    driver.run_idle()
    assert evbuf.read(), "what was sent to a file that is an object did not arrive"
    evbuf.write(b"hello to you")
    driver.run_idle()
    assert receive(far, 100), "what was written to a file that is an object did not leave"


@rule("levent.newevbuf.creates")
def test_two_objects_of_a_type_are_two_files(driver: LeventDriver, channels: Channels) -> None:
    """The accessor has to be called for each object."""
    driver.levent.setfdaccessor(Line, lambda line: line.number)
    pairs = [channels.pair() for _ in range(2)]
    made = [driver.evbuf(Line(near.fileno()), name=str(at)) for at, (near, _) in enumerate(pairs)]
    for evbuf in made:
        evbuf.start()
    for at, evbuf in enumerate(made):
        pairs[at][1].send(b"hello")
        driver.run_idle()
        assert evbuf.read(), (
            f"what was sent to object number {at + 1} of a type did not arrive in its buffer"
        )


@rule("levent.newevbuf.creates")
def test_an_object_of_a_type_without_an_accessor_is_refused(driver: LeventDriver) -> None:
    """`newevbuf` refuses it, or at the latest `start`; it must not pass for some descriptor."""
    unknown = type("Unknown", (), {})()
    assert error_of(lambda: driver.evbuf(unknown).start()), (
        "newevbuf() took an object of a type that setfdaccessor() was never told of"
    )


@rule("levent.newevbuf.callbacks-optional")
@pytest.mark.parametrize("missing", ["readcb", "writecb", "errorcb", "all", "left out", "trailing"])
def test_missing_callbacks_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, missing: str
) -> None:
    """The callbacks that are there are called as usual."""
    near, far = channels.pair()
    names = ("readcb", "writecb", "errorcb")
    callbacks = [
        None if missing in (name, "all") else driver.callback(name.removesuffix("cb"))
        for name in names
    ]
    if missing in ("left out", "trailing"):
        del callbacks[0 if missing == "left out" else 1 :]
    try:
        evbuf = driver.keep(driver.base.newevbuf(near.fileno(), *callbacks))
        evbuf.start()
        driver.run_once()
        before = len(driver.trace)
        far.send(b"data")
        driver.run_idle()
        evbuf.write(b"data")
        driver.run_idle()
        far.close()
        driver.run_idle()
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of=missing)
        return
    observe(", ".join(sorted(set(driver.trace[before:]))) or "nothing is called", of=missing)


@rule("levent.newevbuf.callbacks-optional")
@pytest.mark.parametrize("wrong", [5, "read", ()], ids=str)
def test_callbacks_that_cannot_be_called_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, wrong: object
) -> None:
    near, _ = channels.pair()
    try:
        driver.base.newevbuf(near.fileno(), wrong, None, None)  # type: ignore[arg-type]  # that is the point
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of=repr(wrong))
    else:
        observe("accepted", of=repr(wrong))


@rule("levent.newevbuf.callback-args")
@pytest.mark.parametrize("file", ["a descriptor", "an object"])
def test_the_arguments_of_the_callbacks_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, file: str
) -> None:
    """Data comes, output leaves, and the file ends."""
    near, far = channels.pair()
    # far above every flag that a callback might be given
    number = channels.numbered(near, 700).fileno()
    driver.levent.setfdaccessor(Line, lambda line: line.number)
    subject: object = number if file == "a descriptor" else Line(number)

    def saying(name: str) -> Act:
        def act(*arguments: object) -> None:
            kinds = [_kind(argument, subject, number, unwrap(evbuf)) for argument in arguments]
            given[name] = ", ".join(kinds) or "nothing"

        return act

    given: dict[str, str] = {}
    evbuf = driver.evbuf(subject, saying("readcb"), saying("writecb"), saying("errorcb"))
    evbuf.start()
    far.send(b"data")
    driver.run_idle()
    evbuf.write(b"data")
    driver.run_idle()
    far.close()
    driver.run_idle()
    for name in ("readcb", "writecb", "errorcb"):
        observe(given.get(name, "not called"), of=f"{name} of {file}")


def _kind(argument: object, file: object, number: int, evbuf: object) -> str:
    if argument is evbuf:
        return "the buffered event"
    if isinstance(argument, int):
        return "the descriptor" if argument == number else "a number"
    if argument is file:
        return "the file"
    return "some file" if isinstance(argument, io.IOBase) else type(argument).__name__


# More than any test here sends; whoever waits for it waits for ever.
FAR = 1_000_000


def _told(driver: LeventDriver, receiver: ReceivingBuffer, size: int, why: str) -> None:
    before = driver.count("read")
    receiver.send(size)
    assert driver.until_count("read", before + 1), (
        f"readcb did not run at {receiver.input_length} bytes, {why}"
    )


def _silent(driver: LeventDriver, receiver: ReceivingBuffer, size: int, why: str) -> None:
    before = driver.count("read")
    receiver.send(size)
    receiver.run_until_received()
    assert driver.count("read") == before, f"readcb ran at {receiver.input_length} bytes, {why}"


def _told_at_none(driver: LeventDriver, sender: SendingBuffer, why: str) -> None:
    """Write more than can leave; writecb must not run as long as the peer takes nothing."""
    before = len(sender.call_levels)
    sender.write(50_000)
    driver.run_idle()
    assert len(sender.call_levels) == before, (
        f"writecb ran with {sender.call_levels[-1]} bytes in the output, {why}"
    )
    sender.finish()
    driver.run_idle(5)


@rule("levent.newevbuf.watermarks-exist")
def test_the_first_watermark_is_the_low_one(driver: LeventDriver, channels: Channels) -> None:
    """A loop that swaps the two numbers calls too late, for the input or for the output."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.set_read_watermarks(10, 1000)
    receiver.evbuf.start()
    _silent(driver, receiver, 5, "with a low watermark of 10 and a high one of 1000")
    _told(driver, receiver, 50, "with a low watermark of 10 and a high one of 1000")
    sender = SendingBuffer(driver, channels)
    sender.evbuf.set_write_watermarks(0, FAR)
    sender.start()
    _told_at_none(driver, sender, f"with a low watermark of 0 and a high one of {FAR}")
