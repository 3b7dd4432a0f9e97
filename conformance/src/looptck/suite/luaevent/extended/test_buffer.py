"""luaevent's complete library, buffer: making one, and adding to it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from looptck.protocols.luaevent_extended import Buffer, LuaeventExtended
from looptck.rules.markers import rule
from looptck.testing.hop_driver import error_of
from looptck.testing.payload import assert_same, payload


@rule("luaevent.buffer.new")
@pytest.mark.parametrize("before", ["nothing", "a used one", "a closed one", "a dropped one"])
def test_a_new_buffer_is_empty(luaevent: LuaeventExtended, before: str) -> None:
    """A loop may reuse the storage of an earlier buffer without clearing it."""
    if before != "nothing":
        other = luaevent.buffer.new()
        other.add(b"of another one")
        if before == "a closed one":
            other.close()
        if before == "a dropped one":
            del other
    fresh = luaevent.buffer.new()
    assert fresh is not None, "buffer.new() returned nothing"
    assert not fresh.get_data(), f"a new buffer holds {fresh.get_data()!r:.80}"


# {what is special: arguments of one call}
_ARGUMENTS: dict[str, list[bytes]] = {
    "one": [b"abc"],
    "three": [b"one", b"two", b"three"],
    "an empty one": [b""],
    "empty ones between": [b"", b"x", b"", b"", b"y", b""],
    "zero bytes": [b"\0", b"a\0b", b"\0\0"],
    "every value of a byte": [bytes(range(256)), bytes(range(255, -1, -1))],
    "many small ones": [payload(3, at * 3) for at in range(150)],
    "small and large ones": [payload(n, n) for n in (1, 1023, 1024, 1025, 3, 65535, 65537, 2)],
    "a million bytes": [payload(1_000_000)],
}


@rule("luaevent.buffer.add")
@pytest.mark.parametrize("case", _ARGUMENTS)
@pytest.mark.parametrize("old", [b"", b"old"], ids=["empty", "with contents"])
def test_add_appends_all_arguments_in_order(
    luaevent: LuaeventExtended, case: str, old: bytes
) -> None:
    """The test compares the whole contents: lost, doubled or moved bytes show."""
    buffer = luaevent.buffer.new()
    if old:
        buffer.add(old)
    buffer.add(*_ARGUMENTS[case])
    expected = old + b"".join(_ARGUMENTS[case])
    assert_same(expected, buffer.get_data(), f"after add of {case}, to {old!r}")


@rule("luaevent.buffer.add")
@pytest.mark.parametrize("old", [b"", b"old"], ids=["empty", "with contents"])
@pytest.mark.parametrize("order", ["BbB", "bBb", "Bb", "bB", "BB", "eB", "Be", "bBeBb"])
def test_bytes_and_buffers_may_be_mixed(luaevent: LuaeventExtended, order: str, old: bytes) -> None:
    """In the ids B is a buffer with contents, e an empty one, b stands for bytes."""
    buffer = luaevent.buffer.new()
    buffer.add(old)
    arguments: list[bytes | Buffer] = []
    expected = old
    for at, kind in enumerate(order):
        data = b"" if kind == "e" else payload(10, at * 10)
        expected += data
        arguments.append(data if kind == "b" else _filled(luaevent, data))
    buffer.add(*arguments)
    assert_same(expected, buffer.get_data(), f"after add of {order}, to {old!r}")


@rule("luaevent.buffer.add-output")
def test_add_counts_a_buffer_given_twice_once(luaevent: LuaeventExtended) -> None:
    """The five bytes of the buffer move once."""
    source = _filled(luaevent, b"12345")
    returned = luaevent.buffer.new().add(source, b"x", source)
    assert returned == 6, f"add of a buffer of 5 bytes twice and of 1 byte returned {returned!r}"


@rule("luaevent.buffer.add-buffer")
def test_a_buffer_given_twice_in_one_call_is_added_once(luaevent: LuaeventExtended) -> None:
    """Bytes between the two arguments show where the buffer was added."""
    source, target = _filled(luaevent, b"source"), _filled(luaevent, b"old ")
    target.add(source, b", between, ", source, b"end")
    assert_same(b"old source, between, end", target.get_data(), "the buffer it was added to")
    assert not source.get_data(), "a buffer was added twice in one call, and still holds bytes"


@rule("luaevent.buffer.add-buffer")
def test_add_empties_every_buffer_it_is_given(luaevent: LuaeventExtended) -> None:
    """The buffers stand first, in the middle and last."""
    sources = [_filled(luaevent, b"%d" % at) for at in range(4)]
    target = luaevent.buffer.new()
    target.add(sources[0], b"-", sources[1], sources[2], b"-", sources[3])
    assert_same(b"0-12-3", target.get_data(), "the buffer they were added to")
    left = [at for at, source in enumerate(sources) if source.get_data()]
    assert not left, f"of four buffers in one call of add, these still hold bytes: {left}"


# {what is wrong: an argument of that kind}; lists and functions made anew are not needed
_WRONG: dict[str, object] = {
    "None": None,
    "True": True,
    "False": False,
    "an empty dict": {},
    "a dict": {1: b"x"},
    "an empty list": [],
    "a list": [b"x"],
    "a list of numbers": [1, 2],
    "a tuple": (b"x",),
    "a function": lambda: b"x",
    "an object": object(),
    "a type": bytes,
}


@rule("luaevent.buffer.add-bad")
@pytest.mark.parametrize("wrong", _WRONG)
@pytest.mark.parametrize("place", ["alone", "first", "last", "between"])
def test_a_wrong_argument_is_refused_and_nothing_is_added(
    luaevent: LuaeventExtended, wrong: str, place: str
) -> None:
    """The good arguments around it are bytes and a buffer; both must stay where they are."""
    buffer, source = _filled(luaevent, b"old"), _filled(luaevent, b"source")
    bad = _WRONG[wrong]
    arguments = {
        "alone": (bad,),
        "first": (bad, b"good", source),
        "last": (b"good", source, bad),
        "between": (source, bad, b"good"),
    }[place]
    refused = error_of(buffer.add, *arguments)
    assert refused is not None, f"add took {wrong}, {place} among its arguments"
    assert_same(b"old", buffer.get_data(), f"after add refused {wrong}, {place}")
    assert_same(b"source", source.get_data(), f"the buffer beside {wrong}, {place}")


@rule("luaevent.buffer.add-bad")
@pytest.mark.parametrize("contents", [b"", b"old"], ids=["empty", "with contents"])
def test_add_without_an_argument_is_refused(luaevent: LuaeventExtended, contents: bytes) -> None:
    """The library asks for one argument or more."""
    buffer = _filled(luaevent, contents)
    add: Callable[..., object] = buffer.add
    assert error_of(add) is not None, "add() without an argument raised no error"
    assert not contents or buffer.get_data() == contents, "add() without an argument added bytes"


@rule("luaevent.buffer.add-bad")
@pytest.mark.parametrize("place", ["alone", "after bytes", "after a buffer", "first", "twice"])
@pytest.mark.parametrize("contents", [b"", b"old"], ids=["empty", "with contents"])
def test_a_buffer_is_not_added_to_itself(
    luaevent: LuaeventExtended, place: str, contents: bytes
) -> None:
    """Good arguments come before it or after it."""
    buffer, source = _filled(luaevent, contents), _filled(luaevent, b"source")
    arguments = {
        "alone": (buffer,),
        "after bytes": (b"good", buffer),
        "after a buffer": (source, buffer),
        "first": (buffer, source, b"good"),
        "twice": (buffer, buffer),
    }[place]
    refused = error_of(buffer.add, *arguments)
    assert refused is not None, f"add took the buffer itself, {place}"
    got = buffer.get_data() or b""
    assert_same(contents, got, f"after add refused the buffer itself, {place}")
    assert_same(b"source", source.get_data(), f"the buffer beside the buffer itself, {place}")


@rule("luaevent.buffer.add-bad")
@pytest.mark.parametrize("contents", [b"", b"lost"], ids=["empty", "with contents"])
@pytest.mark.parametrize("place", ["alone", "after bytes", "before bytes"])
def test_add_refuses_a_closed_buffer(
    luaevent: LuaeventExtended, contents: bytes, place: str
) -> None:
    """Whether the bytes beside it were added is open."""
    closed = _filled(luaevent, contents)
    closed.close()
    arguments: dict[str, tuple[object, ...]] = {
        "alone": (closed,),
        "after bytes": (b"good", closed),
        "before bytes": (closed, b"good"),
    }
    refused = error_of(_filled(luaevent, b"old").add, *arguments[place])
    assert refused is not None, f"add took a closed buffer, {place}"


def _filled(luaevent: LuaeventExtended, contents: bytes) -> Buffer:
    buffer = luaevent.buffer.new()
    if contents:
        buffer.add(contents)
    return buffer


# Copying so much for each addition takes ten times as long as is allowed for
# all of them; adding to a queue takes a hundredth of it.
_HELD = 32 * 1024 * 1024
_ADDITIONS = 400
_ALLOWED = 0.25


@rule("luaevent.buffer.linear")
def test_add_costs_the_same_whatever_the_buffer_holds(luaevent: LuaeventExtended) -> None:
    """The test counts the processor time of this thread alone, which a busy machine does not
    lengthen.

    It gives up as soon as the calls have taken too long.
    """
    buffer = luaevent.buffer.new()
    buffer.add(bytes(_HELD))
    buffer.add(b"x")  # whatever is done once, for a buffer so large
    began = time.thread_time()
    for added in range(_ADDITIONS):
        buffer.add(b"x")
        took = time.thread_time() - began
        assert took < _ALLOWED, (
            f"a buffer holds {_HELD >> 20} MiB; adding {added + 1} single bytes to it took "
            f"{took:.2f} s of the processor, {took / (added + 1) * 1e6:.0f} us each"
        )
    assert buffer.length() == _HELD + 1 + _ADDITIONS
