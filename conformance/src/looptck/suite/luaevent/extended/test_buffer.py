"""luaevent's complete library, buffer: making one, and adding to it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from looptck.protocols.luaevent_extended import Buffer, LuaeventExtended
from looptck.rules.markers import rule
from looptck.testing.hop_driver import error_of
from looptck.testing.payload import assert_same, outcome, payload


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


@rule("luaevent.buffer.new")
def test_buffers_share_no_contents(luaevent: LuaeventExtended) -> None:
    """Each buffer gets bytes of its own while all the others exist."""
    buffers = [luaevent.buffer.new() for _ in range(4)]
    for at in (2, 0, 3):
        buffers[at].add(b"number %d" % at)
    for at, expected in enumerate([b"number 0", b"", b"number 2", b"number 3"]):
        got = buffers[at].get_data() or b""
        assert got == expected, (
            f"{expected!r} was put into buffer {at} of four, and other bytes into others; "
            f"it holds {got!r}"
        )


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
@pytest.mark.parametrize("size", [1, 7, 1000, 5000])
def test_each_add_appends_to_the_contents(luaevent: LuaeventExtended, size: int) -> None:
    """The calls are so many that any storage in pieces has to join some."""
    buffer = luaevent.buffer.new()
    calls = 300 if size < 100 else 40
    for at in range(calls):
        buffer.add(payload(size, at * size))
    expected = payload(calls * size)
    assert_same(expected, buffer.get_data(), f"after {calls} calls of add, {size} bytes each")


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


# {what has become of the bytes that were in the buffer first: does it}
_HISTORY: dict[str, Callable[[LuaeventExtended, Buffer], object]] = {
    "drain(3)": lambda _, buffer: buffer.drain(3),
    "drain(-1)": lambda _, buffer: buffer.drain(-1),
    "readline": lambda _, buffer: buffer.readline(),
    "being added to another": lambda entry, buffer: entry.buffer.new().add(buffer),
    "get_data(2)": lambda _, buffer: buffer.get_data(2),
}


@rule("luaevent.buffer.add")
@pytest.mark.parametrize("history", _HISTORY)
@pytest.mark.parametrize("size", [6, 5000])
def test_add_appends_after_any_earlier_calls(
    luaevent: LuaeventExtended, history: str, size: int
) -> None:
    """The test looks at the contents before each `add`: other rules judge what drains should
    have removed."""
    buffer = luaevent.buffer.new()
    buffer.add(b"line\n" + payload(size))
    for _ in range(3):
        outcome(_HISTORY[history], luaevent, buffer)
        before = outcome(buffer.get_data) or b""
        if not isinstance(before, bytes):
            return  # what it must not do to the buffer is another rule's
        buffer.add(b"new", b"er")
        assert_same(before + b"newer", buffer.get_data(), f"after {history} and add")


@rule("luaevent.buffer.add-output")
@pytest.mark.parametrize("case", _ARGUMENTS)
@pytest.mark.parametrize("old", [b"", b"older"], ids=["empty", "with contents"])
def test_add_returns_the_number_of_bytes(luaevent: LuaeventExtended, case: str, old: bytes) -> None:
    """The buffer has contents before: a count of all bytes, or of the arguments, is another
    number."""
    buffer = luaevent.buffer.new()
    buffer.add(old)
    expected = sum(map(len, _ARGUMENTS[case]))
    returned = buffer.add(*_ARGUMENTS[case])
    assert returned == expected, (
        f"add of {case}, {expected} bytes, to a buffer with {len(old)} bytes returned {returned!r}"
    )


@rule("luaevent.buffer.add-output")
@pytest.mark.parametrize("sizes", [(5,), (0,), (5, 3), (0, 4), (4000, 3)], ids=repr)
@pytest.mark.parametrize("more", [b"", b"bytes"])
def test_add_counts_the_bytes_of_buffers(
    luaevent: LuaeventExtended, sizes: tuple[int, ...], more: bytes
) -> None:
    """The added buffers are empty afterwards: a loop that counts then returns too little."""
    buffer = _filled(luaevent, b"older")
    returned = buffer.add(*[_filled(luaevent, payload(size)) for size in sizes], more)
    expected = sum(sizes) + len(more)
    assert returned == expected, (
        f"add of buffers with {sizes} bytes and of {len(more)} bytes returned {returned!r}"
    )


@rule("luaevent.buffer.add-output")
def test_add_counts_a_buffer_given_twice_once(luaevent: LuaeventExtended) -> None:
    """The five bytes of the buffer move once."""
    source = _filled(luaevent, b"12345")
    returned = luaevent.buffer.new().add(source, b"x", source)
    assert returned == 6, f"add of a buffer of 5 bytes twice and of 1 byte returned {returned!r}"


@rule("luaevent.buffer.add-buffer")
@pytest.mark.parametrize("size", [0, 1, 5, 5000, 200_000])
@pytest.mark.parametrize("pieces", [1, 3])
def test_add_moves_the_bytes_of_a_buffer(
    luaevent: LuaeventExtended, size: int, pieces: int
) -> None:
    """The test looks at the rest in the source and at the bytes in the target."""
    source = luaevent.buffer.new()
    for at in range(pieces):
        source.add(payload(size, at * size))
    target = _filled(luaevent, b"old")
    target.add(source)
    left = outcome(source.get_data) or b""
    assert_same(b"", left, f"a buffer of {size * pieces} bytes, after it was added to another")
    assert_same(b"old" + payload(size * pieces), target.get_data(), "the buffer it was added to")


@rule("luaevent.buffer.add-buffer")
@pytest.mark.parametrize("size", [0, 1, 5000])
def test_a_buffer_that_was_added_can_be_used(luaevent: LuaeventExtended, size: int) -> None:
    """Source and target are changed in turn, so that shared storage shows."""
    source, target = _filled(luaevent, payload(size)), luaevent.buffer.new()
    target.add(source)
    refused = error_of(source.add, b"second")
    assert refused is None, f"a buffer that was added to another took no bytes: {refused!r}"
    assert_same(b"second", source.get_data(), "the source, after it was added and got new bytes")
    assert_same(payload(size), target.get_data(), "the target, after the source got new bytes")
    target.add(b"third")
    assert_same(b"second", source.get_data(), "the source, after the target got new bytes")
    target.add(source)
    assert_same(payload(size) + b"thirdsecond", target.get_data(), "the target, added to again")
    assert not source.get_data(), "a buffer was added a second time, and still holds bytes"


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


@rule("luaevent.buffer.add-buffer")
def test_bytes_may_move_on_to_further_buffers(luaevent: LuaeventExtended) -> None:
    """The bytes move there and back, and on to a third buffer."""
    first, second, third = (_filled(luaevent, name) for name in (b"1", b"2", b"3"))
    first.add(second)
    second.add(first)
    third.add(second, first)
    got = [buffer.get_data() or b"" for buffer in (first, second, third)]
    assert got == [b"", b"", b"312"], (
        "the second buffer was added to the first, the first to the second, the second to the "
        f"third; they hold {got}"
    )


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
def test_another_object_of_the_library_is_refused(luaevent: LuaeventExtended) -> None:
    """The argument is a base, which is no buffer."""
    buffer = _filled(luaevent, b"old")
    refused = error_of(buffer.add, b"good", luaevent.new())
    assert refused is not None, "add took a base for a buffer"
    assert_same(b"old", buffer.get_data(), "after add refused a base")


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
