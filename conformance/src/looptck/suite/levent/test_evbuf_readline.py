"""levent, buffered events: readline takes lines from the input."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation
from looptck.testing.payload import assert_same, payload

TEXTS = {
    "one line": b"a\n",
    "two lines": b"a\nb\n",
    "empty lines": b"\n\n\na\n\n",
    "only a break": b"\n",
    "zero bytes": b"\0\n\0a\0\n",
    "high bytes": b"\xff\xfe\n\x80\n",
    "an unfinished line": b"first\nsecond",
    "lengths": b"".join(b"x" * n + b"\n" for n in range(12)),
    "spaces": b" a \n\t\n",
}
every_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


def _lines(receiver: ReceivingBuffer) -> list[bytes]:
    """Call `readline` until it gives None; return the lines."""
    lines: list[bytes] = []
    while (line := receiver.evbuf.readline()) is not None:
        lines.append(line)
        assert len(lines) <= len(receiver.sent), (
            f"readline gave {lines[-1][:40]!r} and does not come to an end: {len(lines)} lines of "
            f"{len(receiver.sent)} bytes"
        )
    return lines


def _split(text: bytes) -> tuple[list[bytes], bytes]:
    *lines, rest = text.split(b"\n")
    return lines, rest


def _cuts(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    for at in range(len(text) + 1):
        yield text[:at], text[at:]


def _started(driver: LeventDriver, channels: Channels) -> ReceivingBuffer:
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    return receiver


@rule("levent.bufevent.readline")
@every_text
@pytest.mark.parametrize("looked", [False, True], ids=["not looked at", "looked at"])
def test_lines_are_the_same_however_they_were_cut(
    driver: LeventDriver, channels: Channels, text: bytes, looked: bool
) -> None:
    """The input is cut in two at each place; readline may be tried after the first part."""
    lines, rest = _split(text)
    for first, second in list(_cuts(text))[:20]:
        receiver = _started(driver, channels)
        got: list[bytes] = []
        for part in (first, second):
            if part:
                receiver.send_bytes(part)
                driver.until(lambda receiver=receiver: not receiver.waiting)  # type: ignore[misc]  # its type is that of the loop
                driver.run_idle(5)
            if looked:
                got += _lines(receiver)
        got += _lines(receiver)
        assert got == lines, f"of {first!r} and then {second!r} readline gave {got}, not {lines}"
        left = receiver.take()
        assert left == rest, f"of {first!r} and then {second!r} {left!r} was left, not {rest!r}"


@rule("levent.bufevent.readline")
@pytest.mark.parametrize("length", [1023, 4096, 16383, 16384, 16385, 65535, 65536, 65537, 99_000])
def test_a_long_line_is_whole(driver: LeventDriver, channels: Channels, length: int) -> None:
    """A short line comes before the long one and another after it."""
    long = payload(length).replace(b"\n", b"-").replace(b"\r", b"-")
    receiver = _started(driver, channels)
    receiver.send_bytes(b"short\n" + long + b"\nlast\n")
    receiver.run_until_received()
    first, middle, last = (receiver.evbuf.readline() or b"" for _ in range(3))
    assert first == b"short", f"readline gave {first[:20]!r}, not the short line before a long one"
    assert_same(long, middle, f"a line of {length} bytes")
    assert last == b"last", f"readline gave {last[:20]!r}, not the short line behind a long one"


@rule("levent.bufevent.readline")
@pytest.mark.parametrize(
    "size", [2, 16, 32, 64, 100, 128, 256, 512, 1000, 1024, 4096, 16384, 65536]
)
def test_a_break_is_found_where_the_input_ends(
    driver: LeventDriver, channels: Channels, size: int
) -> None:
    """One line comes alone; with its break it has a size that buffers may have."""
    receiver = _started(driver, channels)
    receiver.send_bytes(b"x" * (size - 1) + b"\n")
    receiver.run_until_received()
    line = receiver.evbuf.readline()
    assert line is not None, f"readline gave None for a line of {size} bytes, its break included"
    assert_same(b"x" * (size - 1), line, "the only line")


@rule("levent.bufevent.readline")
def test_a_failed_search_does_not_hide_a_later_break(
    driver: LeventDriver, channels: Channels
) -> None:
    """readline fails, a part or all is read, and then the break comes in front of the searched
    length."""
    receiver = _started(driver, channels)
    for size in (1, 5, 10):
        receiver.send_bytes(b"0123456789")
        receiver.run_until_received()
        assert receiver.evbuf.readline() is None, "readline gave a line without a break"
        rest = b"0123456789"[size:]
        receiver.take(size)
        receiver.send_bytes(b"\nab\n")
        receiver.run_until_received()
        got = [receiver.evbuf.readline(), receiver.evbuf.readline()]
        assert got == [rest, b"ab"], (
            f"readline found no line, {size} of 10 bytes were read, then a break and 'ab' and "
            f"a break came; it gave {got}"
        )


@rule("levent.bufevent.readline-none")
def test_readline_of_an_empty_input_gives_none(driver: LeventDriver, channels: Channels) -> None:
    """The input is empty before the first byte came, and after all was read."""
    receiver = _started(driver, channels)
    assert receiver.evbuf.readline() is None, "readline of an empty input did not give None"
    receiver.send_bytes(b"abc\n")
    receiver.run_until_received()
    receiver.take()
    got = receiver.evbuf.readline()
    assert got is None, f"readline gave {got!r} when all had been read"


@rule("levent.bufevent.readline-none")
@pytest.mark.parametrize(
    "text",
    [b"a", b"abc", b"\0", b" ", b"x" * 4096, b"x" * 65536, b"x" * 99_000],
    ids=lambda text: f"{len(text)} bytes",
)
@pytest.mark.parametrize("times", [1, 3])
def test_readline_without_a_break_removes_nothing(
    driver: LeventDriver, channels: Channels, text: bytes, times: int
) -> None:
    """readline is called several times; then a break comes, and the line is whole."""
    receiver = _started(driver, channels)
    receiver.send_bytes(text)
    receiver.run_until_received()
    for _ in range(times):
        got = receiver.evbuf.readline()
        assert got is None, f"readline gave {got[:20]!r} of {len(text)} bytes without a break"
    receiver.send_bytes(b"def\n")
    receiver.run_until_received()
    line = receiver.evbuf.readline()
    assert line is not None, "readline gave None for a line whose break came later"
    assert_same(text + b"def", line, "a line whose break came later")


@rule("levent.bufevent.readline-none")
@pytest.mark.parametrize("end", ["close", "nothing"])
def test_the_end_of_the_file_breaks_no_line(
    driver: LeventDriver, channels: Channels, end: str
) -> None:
    """The line is never finished; its bytes can be read.

    The control calls no readline: if it loses the bytes too, the end took them.
    """

    def ended() -> ReceivingBuffer:
        receiver = _started(driver, channels)
        receiver.send_bytes(b"two")
        receiver.run_until_received()
        if end == "close":
            receiver.far.close()
        driver.run_idle()
        return receiver

    if ended().take_all() == b"two":
        receiver = ended()
        got = receiver.evbuf.readline()
        assert got is None, f"readline gave {got!r}, which has no break, at the end of the file"
        left = receiver.take_all()
        assert left == b"two", f"read() gave {left!r} of the unfinished line b'two'"


@rule("levent.bufevent.readline-none")
def test_a_stop_breaks_no_line(driver: LeventDriver, channels: Channels) -> None:
    """A start may let the rest of the line in."""
    receiver = _started(driver, channels)
    receiver.send_bytes(b"abc")
    receiver.run_until_received()
    receiver.evbuf.stop()
    got = receiver.evbuf.readline()
    assert got is None, f"readline gave {got!r}, which has no break, of one that was stopped"


@rule("levent.bufevent.readline-none")
@pytest.mark.parametrize("high", [1, 5, 4096])
def test_a_full_input_breaks_no_line(driver: LeventDriver, channels: Channels, high: int) -> None:
    """The input has reached its high watermark, so no line can be finished until the program
    reads."""
    lines: list[bytes | None] = []

    def read(*_arguments: object) -> None:
        lines.append(receiver.evbuf.readline())
        if receiver.input_length >= high:
            receiver.take_all()

    receiver = ReceivingBuffer(driver, channels.pair(), read)
    receiver.evbuf.set_read_watermarks(0, high)
    receiver.evbuf.start()
    receiver.send_bytes(b"x" * high)
    driver.run_idle()
    got = next((line for line in lines if line is not None), None)
    assert got is None, f"readline gave {got[:20]!r} of {high} bytes without a break"


@rule("levent.bufevent.readline-none")
def test_readline_does_not_look_for_a_break_in_the_file(
    driver: LeventDriver, channels: Channels
) -> None:
    """The break came while no loop ran."""
    receiver = _started(driver, channels)
    receiver.send_bytes(b"abc")
    receiver.run_until_received()
    receiver.send_bytes(b"def\n")
    got = receiver.evbuf.readline()
    assert got is None, f"readline gave {got!r}; its break had not arrived"
    assert receiver.waiting == 4, "readline took bytes from the file"


@rule("levent.bufevent.readline-crlf")
@pytest.mark.parametrize(
    "text",
    [b"a\r\nb", b"a\n\rb", b"a\rb", b"a\r", b"a\n\nb", b"a\r\n\r\nb", b"a\r\rb", b"a\0\r\nb"],
    ids=repr,
)
def test_the_bytes_that_break_a_line_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, text: bytes
) -> None:
    """All bytes came at once."""
    receiver = _started(driver, channels)
    receiver.send_bytes(text)
    receiver.run_until_received()
    observe(_told(receiver), of=repr(text))


@rule("levent.bufevent.readline-crlf")
@pytest.mark.parametrize("looked", [False, True], ids=["not looked at", "looked at"])
def test_a_cr_that_arrives_before_its_lf_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, looked: bool
) -> None:
    """The two bytes come in two arrivals."""
    receiver = _started(driver, channels)
    receiver.send_bytes(b"a\r")
    receiver.run_until_received()
    first = f"{receiver.evbuf.readline()!r}, " if looked else ""
    receiver.send_bytes(b"\nb\n")
    receiver.run_until_received()
    observe(first + _told(receiver), of=f"'a\\r', {'readline, ' if looked else ''}'\\nb\\n'")


def _told(receiver: ReceivingBuffer) -> str:
    """Describe the lines that `readline` gives, and the bytes that are left."""
    lines: list[bytes] = []
    while len(lines) < 9 and (line := receiver.evbuf.readline()) is not None:
        lines.append(line)
    return f"{lines}, {receiver.take()!r} left"
