"""Checks of lines that a program takes from the input of a stream."""

from __future__ import annotations

import pytest

from ..testing.payload import assert_same
from .streams import Stream, Streams, Turns

# More than a table of 2**12 has places.
_LINES = 5000


def _take_lines(stream: Stream) -> list[bytes]:
    lines: list[bytes] = []
    while (line := stream.take_line()) is not None:
        lines.append(line)
        assert len(lines) <= len(stream.sent), f"readline gave {len(lines)} lines, and goes on"
    return lines


@pytest.mark.parametrize("taken_in", ["read", "one go"])
def test_thousands_of_lines_are_taken(streams: Streams, taken_in: str) -> None:
    """They are as long as their numbers, and some of them are empty."""
    lines = [b"%d" % number if number % 7 else b"" for number in range(_LINES)]
    came: list[bytes] = []
    text = b"\n".join(lines) + b"\n"
    take = (lambda stream: came.extend(_take_lines(stream))) if taken_in == "read" else None
    stream = streams.open(read=take)

    def script() -> Turns:
        stream.start()
        for at in range(0, len(text), 4000):
            yield from stream.send(text[at : at + 4000])
            yield from stream.read_all(most=200)
        while stream.waiting and (yield from streams.until(lambda: not stream.waiting)):
            pass
        came.extend(_take_lines(stream))
        arrived = lines[: len(came)] if stream.waiting else lines
        wrong = [at for at, line in enumerate(came) if at >= len(lines) or line != lines[at]]
        assert not wrong, f"of {_LINES} lines number {wrong[0]} came as {came[wrong[0]]!r}"
        assert len(came) == len(arrived), (
            f"{_LINES} lines were sent and have arrived, and {len(came)} were taken"
        )

    streams.run(script)


def test_lines_make_room_in_a_full_input(streams: Streams) -> None:
    """The input is full with one line at a time, or with a little more.

    The reader takes the lines, and what remains of one: some loops call it without end
    while a full input is left.
    """

    def take(stream: Stream) -> None:
        _take_lines(stream)
        if stream.input_level:
            stream.take()

    stream = streams.open(read=take)

    def script() -> Turns:
        stream.set_read_marks(0, 30)
        stream.start()
        yield from stream.send((b"l" * 29 + b"\n") * 20)
        while waiting := stream.waiting:

            def goes_on(before: int = waiting) -> bool:
                return stream.waiting < before

            assert (yield from streams.until(goes_on)), (
                f"lines were taken until a full input was empty, and {waiting} bytes wait"
            )
        yield from streams.run_idle(3)
        assert_same(stream.sent, stream.taken, "what came by lines")

    streams.run(script)
