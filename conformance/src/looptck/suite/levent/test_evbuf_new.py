"""levent, buffered events: making one."""

from __future__ import annotations

import io

import pytest

from looptck.markers import rule
from looptck.probes.flows import Inlet, Outlet, receive
from looptck.probes.observation import Observation
from looptck.probes.rounds import Act, Rounds
from looptck.probes.wires import Wires, fill
from looptck.witness import behind


class Line:
    """What a program might use as a file: it knows its descriptor, and is none."""

    def __init__(self, number: int) -> None:
        self.number = number


@rule("levent.newevbuf.creates")
def test_both_buffers_of_a_new_one_are_empty(rounds: Rounds, wires: Wires) -> None:
    """Before the start, after it, and when the loop ran; the peer gets nothing."""
    near, far = wires.pair()
    evbuf = rounds.evbuf(near.fileno())
    for when in ("new", "started", "idle"):
        if when == "started":
            evbuf.start()
        elif when == "idle":
            rounds.quiet()
        got, line = evbuf.read(), evbuf.readline()
        assert not got, f"read() of a buffered event that is {when} gave {got!r}; nothing was sent"
        assert line is None, f"readline() of one that is {when} gave {line!r}; nothing was sent"
    assert not receive(far, 100), "the peer got bytes that nobody wrote"


@rule("levent.newevbuf.creates")
def test_each_call_makes_another_one(rounds: Rounds, wires: Wires) -> None:
    """The same callbacks for all; nothing else tells them apart but their files."""
    files = [wires.pair()[0].fileno() for _ in range(3)]
    made = [rounds.base.newevbuf(file, print, print, print) for file in files]
    assert len({id(behind(each)) for each in made}) == len(made), (
        "newevbuf() returned the same buffered event twice"
    )


@rule("levent.newevbuf.creates")
def test_each_serves_its_own_file(rounds: Rounds, wires: Wires) -> None:
    """Three of them; each has a letter that its peer sends, and one that its peer gets."""
    inlets = [Inlet(rounds, wires.pair(), name=str(number)) for number in range(3)]
    for inlet, letter in zip(inlets, b"abc", strict=True):
        inlet.evbuf.start()
        inlet.send_bytes(bytes([letter]) * 20)
        inlet.evbuf.write(bytes([letter]).upper() * 20)
    for number in range(3):
        assert rounds.until_count(f"{number} read"), f"the readcb of number {number} did not run"
    rounds.quiet()
    for inlet, letter in zip(inlets, b"abc", strict=True):
        inlet.take_whatever()
        got, came = bytes(inlet.taken), receive(inlet.far, 100)
        sent = bytes([letter])
        assert set(got) == set(sent), f"{got!r} was read; its peer sent {sent!r} only"
        assert set(came) == set(sent.upper()), (
            f"the peer got {came!r}; only {sent.upper()!r} was written for it"
        )


@rule("levent.newevbuf.creates")
def test_the_number_of_a_file_that_was_closed_brings_nothing_back(
    rounds: Rounds, wires: Wires
) -> None:
    """Bytes were in both buffers when the first one was stopped and its file closed."""
    old = Inlet(rounds, wires.pair(), name="old")
    old.evbuf.start()
    old.send_bytes(b"not taken")
    old.arrive()
    fill(old.near)
    old.evbuf.write(b"not sent")
    rounds.quiet()
    number = old.near.fileno()
    old.evbuf.stop()
    old.near.close()
    old.far.close()
    before = len(rounds.trace)
    new = Inlet(rounds, wires.pair_at(number), name="new")
    new.evbuf.start()
    rounds.quiet()
    got, came = new.evbuf.read(), receive(new.far, 100)
    assert not got, f"read() of a new buffered event gave {got!r}, of one that had its number"
    assert not came, f"the peer of a new file got {came!r}, of one that had its number"
    new.send_bytes(b"new")
    assert rounds.until_count("new read"), "readcb of a new buffered event did not run"
    stale = [entry for entry in rounds.trace[before:] if entry.startswith("old")]
    assert not stale, f"{stale[0]} was called: a stopped one, whose number is another file's now"


@rule("levent.newevbuf.creates")
def test_the_first_callback_is_for_data_and_the_second_for_room(
    rounds: Rounds, wires: Wires
) -> None:
    """Nothing is sent while something is written, and nothing is written while something is."""
    outlet = Outlet(rounds, wires)
    outlet.start()
    outlet.write(10)
    assert rounds.until_count("write"), "output left, and the second callback did not run"
    rounds.quiet()
    assert not rounds.count("read"), "the first callback ran, and no byte had been sent"
    assert not rounds.count("error"), "the third callback ran, and there was no error"
    outlet.far.send(b"data")
    assert rounds.until_count("read"), "data arrived, and the first callback did not run"
    rounds.quiet()
    assert not rounds.count("error"), "the third callback ran, and there was no error"


@rule("levent.newevbuf.creates")
def test_an_object_of_a_type_with_an_accessor_is_a_file(rounds: Rounds, wires: Wires) -> None:
    """The accessor is the only one who knows the number."""
    rounds.levent.setfdaccessor(Line, lambda line: line.number)
    near, far = wires.pair()
    evbuf = rounds.evbuf(Line(near.fileno()))
    evbuf.start()
    far.send(b"hello")
    evbuf.write(b"hello to you")
    assert rounds.until_count("read"), "readcb did not run for a file that is an object"
    rounds.quiet()
    assert evbuf.read(), "what was sent to a file that is an object did not arrive"
    assert receive(far, 100), "what was written to a file that is an object did not leave"


@rule("levent.newevbuf.callbacks-optional")
@pytest.mark.parametrize("missing", ["readcb", "writecb", "errorcb", "all", "left out", "trailing"])
def test_missing_callbacks(
    rounds: Rounds, wires: Wires, observe: Observation, missing: str
) -> None:
    """What is there is called; what is not is not missed, as far as can be seen."""
    near, far = wires.pair()
    names = ("readcb", "writecb", "errorcb")
    callbacks = [
        None if missing in (name, "all") else rounds.callback(name.removesuffix("cb"))
        for name in names
    ]
    if missing in ("left out", "trailing"):
        del callbacks[0 if missing == "left out" else 1 :]
    try:
        evbuf = rounds.keep(rounds.base.newevbuf(near.fileno(), *callbacks))
        evbuf.start()
        rounds.once()
        before = len(rounds.trace)
        far.send(b"data")
        rounds.quiet()
        evbuf.write(b"data")
        rounds.quiet()
        far.close()
        rounds.quiet()
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of=missing)
        return
    observe(", ".join(sorted(set(rounds.trace[before:]))) or "nothing is called", of=missing)


@rule("levent.newevbuf.callbacks-optional")
@pytest.mark.parametrize("wrong", [5, "read", ()], ids=str)
def test_callbacks_that_cannot_be_called(
    rounds: Rounds, wires: Wires, observe: Observation, wrong: object
) -> None:
    near, _ = wires.pair()
    try:
        rounds.base.newevbuf(near.fileno(), wrong, None, None)  # type: ignore[arg-type]  # that is the point
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of=repr(wrong))
    else:
        observe("accepted", of=repr(wrong))


@rule("levent.newevbuf.callback-args")
@pytest.mark.parametrize("file", ["a descriptor", "an object"])
def test_what_callbacks_are_given(
    rounds: Rounds, wires: Wires, observe: Observation, file: str
) -> None:
    """Data comes, output leaves, and the file ends."""
    near, far = wires.pair()
    # far above every flag that a callback might be given
    number = wires.numbered(near, 700).fileno()
    rounds.levent.setfdaccessor(Line, lambda line: line.number)
    subject: object = number if file == "a descriptor" else Line(number)

    def saying(name: str) -> Act:
        def act(*arguments: object) -> None:
            kinds = [_kind(argument, subject, number, behind(evbuf)) for argument in arguments]
            given[name] = ", ".join(kinds) or "nothing"

        return act

    given: dict[str, str] = {}
    evbuf = rounds.evbuf(subject, saying("readcb"), saying("writecb"), saying("errorcb"))
    evbuf.start()
    far.send(b"data")
    rounds.quiet()
    evbuf.write(b"data")
    rounds.quiet()
    far.close()
    rounds.quiet()
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
