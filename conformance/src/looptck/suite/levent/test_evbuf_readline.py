"""levent, buffered events: lines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer, pattern, same
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation

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


def _lines(inlet: ReceivingBuffer) -> list[bytes]:
    """What `readline` gives until it gives None."""
    lines: list[bytes] = []
    while (line := inlet.evbuf.readline()) is not None:
        lines.append(line)
        assert len(lines) <= len(inlet.sent), (
            f"readline gave {lines[-1][:40]!r} and does not come to an end: {len(lines)} lines of "
            f"{len(inlet.sent)} bytes"
        )
    return lines


def _split(text: bytes) -> tuple[list[bytes], bytes]:
    *lines, rest = text.split(b"\n")
    return lines, rest


def _cuts(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    for at in range(len(text) + 1):
        yield text[:at], text[at:]


def _started(rounds: LeventDriver, channels: Channels) -> ReceivingBuffer:
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.start()
    return inlet


@rule("levent.bufevent.readline")
@every_text
def test_lines_that_arrived_at_once_are_read_one_by_one(
    rounds: LeventDriver, channels: Channels, text: bytes
) -> None:
    """And what is behind the last break is left."""
    inlet = _started(rounds, channels)
    inlet.send_bytes(text)
    inlet.arrive()
    lines, rest = _split(text)
    got = _lines(inlet)
    assert got == lines, f"of {text!r} readline gave {got}, not {lines}"
    left = inlet.take()
    assert left == rest, f"of {text!r} readline left {left!r} behind the last line, not {rest!r}"


@rule("levent.bufevent.readline")
@every_text
@pytest.mark.parametrize("looked", [False, True], ids=["not looked at", "looked at"])
def test_lines_are_the_same_however_they_were_cut(
    rounds: LeventDriver, channels: Channels, text: bytes, looked: bool
) -> None:
    """Cut in two at each place, and looked at for lines after the first part, or not."""
    lines, rest = _split(text)
    for first, second in list(_cuts(text))[:20]:
        inlet = _started(rounds, channels)
        got: list[bytes] = []
        for part in (first, second):
            if part:
                inlet.send_bytes(part)
                rounds.until(lambda inlet=inlet: not inlet.waiting)  # type: ignore[misc]  # its type is that of the loop
                rounds.quiet(5)
            if looked:
                got += _lines(inlet)
        got += _lines(inlet)
        assert got == lines, f"of {first!r} and then {second!r} readline gave {got}, not {lines}"
        left = inlet.take()
        assert left == rest, f"of {first!r} and then {second!r} {left!r} was left, not {rest!r}"


@rule("levent.bufevent.readline")
def test_a_line_that_comes_one_byte_at_a_time_is_whole(
    rounds: LeventDriver, channels: Channels
) -> None:
    """It is looked for after each byte."""
    inlet = _started(rounds, channels)
    for byte in b"hello\n\nyou\n":
        inlet.send_bytes(bytes([byte]))
        rounds.quiet(5)
        got = inlet.evbuf.readline()
        whole = bytes(inlet.sent).split(b"\n")[-2] if byte == ord("\n") else None
        assert got == whole, f"after {bytes(inlet.sent)!r} readline gave {got!r}, not {whole!r}"


@rule("levent.bufevent.readline")
@pytest.mark.parametrize("length", [1023, 4096, 16383, 16384, 16385, 65535, 65536, 65537, 99_000])
def test_a_long_line_is_whole(rounds: LeventDriver, channels: Channels, length: int) -> None:
    """A short one is before it and behind it."""
    long = pattern(length).replace(b"\n", b"-").replace(b"\r", b"-")
    inlet = _started(rounds, channels)
    inlet.send_bytes(b"short\n" + long + b"\nlast\n")
    inlet.arrive()
    first, middle, last = (inlet.evbuf.readline() or b"" for _ in range(3))
    assert first == b"short", f"readline gave {first[:20]!r}, not the short line before a long one"
    same(middle, long, f"a line of {length} bytes")
    assert last == b"last", f"readline gave {last[:20]!r}, not the short line behind a long one"


@rule("levent.bufevent.readline")
@pytest.mark.parametrize(
    "size", [2, 16, 32, 64, 100, 128, 256, 512, 1000, 1024, 4096, 16384, 65536]
)
def test_a_break_is_found_where_the_input_ends(
    rounds: LeventDriver, channels: Channels, size: int
) -> None:
    """One line and nothing else; with its break, that is a size that buffers may have."""
    inlet = _started(rounds, channels)
    inlet.send_bytes(b"x" * (size - 1) + b"\n")
    inlet.arrive()
    line = inlet.evbuf.readline()
    assert line is not None, f"readline gave None for a line of {size} bytes, its break included"
    same(line, b"x" * (size - 1), "the only line")


@rule("levent.bufevent.readline")
def test_a_long_line_that_comes_in_pieces_is_whole(
    rounds: LeventDriver, channels: Channels
) -> None:
    """It is looked for after each, in vain until the last."""
    long = pattern(250_000).replace(b"\n", b"-").replace(b"\r", b"-")
    inlet = _started(rounds, channels)
    for at in range(0, len(long), 50_000):
        inlet.send_bytes(long[at : at + 50_000])
        inlet.arrive()
        assert inlet.evbuf.readline() is None, "readline gave a line that had no break yet"
    inlet.send_bytes(b"\n")
    inlet.arrive()
    same(inlet.evbuf.readline() or b"", long, "a line of 250000 bytes in five pieces")


@rule("levent.bufevent.readline")
@pytest.mark.parametrize("lines", [100, 5000])
def test_many_lines_are_read_in_order(rounds: LeventDriver, channels: Channels, lines: int) -> None:
    """Numbered, so that a line that is lost or doubled shows."""
    sent = [b"line %d" % number for number in range(lines)]
    inlet = _started(rounds, channels)
    inlet.send_bytes(b"".join(line + b"\n" for line in sent))
    inlet.arrive()
    got = _lines(inlet)
    wrong = next(
        (at for at, pair in enumerate(zip(got, sent, strict=False)) if len({*pair}) > 1), None
    )
    assert wrong is None, f"line {wrong} was given as {got[wrong or 0][:40]!r}"
    assert len(got) == lines, f"{len(got)} lines were given of {lines}"


@rule("levent.bufevent.readline")
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6])
def test_lines_and_other_reads_alternate(
    rounds: LeventDriver, channels: Channels, size: int
) -> None:
    """A line, some bytes, the rest of their line, and so on; what was searched is not skipped."""
    text = b"one\ntwo\n\nthree\nfour\nfive and more\nsix\n" * 3
    inlet = _started(rounds, channels)
    inlet.send_bytes(text)
    inlet.arrive()
    rest = text
    while rest:
        line, _, rest = rest.partition(b"\n")
        got = inlet.evbuf.readline()
        assert got == line, f"readline gave {got!r}, not {line!r}, with {rest[:20]!r} behind it"
        some, rest = rest[:size], rest[size:]
        taken = inlet.take(size)
        assert taken == some, f"read({size}) gave {taken!r} after readline, not {some!r}"
    assert inlet.evbuf.readline() is None, "readline gave another line when all was read"


@rule("levent.bufevent.readline")
def test_a_search_that_failed_does_not_hide_a_break_that_comes_later(
    rounds: LeventDriver, channels: Channels
) -> None:
    """Looked for in vain, read away in part or whole, and then the break comes early."""
    inlet = _started(rounds, channels)
    for size in (1, 5, 10):
        inlet.send_bytes(b"0123456789")
        inlet.arrive()
        assert inlet.evbuf.readline() is None, "readline gave a line without a break"
        rest = b"0123456789"[size:]
        inlet.take(size)
        inlet.send_bytes(b"\nab\n")
        inlet.arrive()
        got = [inlet.evbuf.readline(), inlet.evbuf.readline()]
        assert got == [rest, b"ab"], (
            f"readline was asked in vain, {size} of 10 bytes were read, then a break and 'ab' and "
            f"a break came; it gave {got}"
        )


@rule("levent.bufevent.readline")
def test_lines_are_read_in_readcb(rounds: LeventDriver, channels: Channels) -> None:
    """As a server of a line protocol does; the pieces are not lines."""
    got: list[bytes] = []
    inlet = ReceivingBuffer(rounds, channels.pair(), lambda *_: got.extend(_lines(inlet)))
    inlet.evbuf.start()
    for piece in (b"on", b"e\ntw", b"o\n\nthr", b"ee\nfour", b"\n", b"\nsix\n"):
        inlet.send_bytes(piece)
        inlet.arrive()
    got += _lines(inlet)  # what no call told of
    assert got == [b"one", b"two", b"", b"three", b"four", b"", b"six"], (
        f"readcb read the lines {got}, not one, two, nothing, three, four, nothing, six"
    )


@rule("levent.bufevent.readline-none")
def test_an_empty_input_has_no_line(rounds: LeventDriver, channels: Channels) -> None:
    """Before anything came, and when all was read."""
    inlet = _started(rounds, channels)
    assert inlet.evbuf.readline() is None, "readline of an empty input did not give None"
    inlet.send_bytes(b"abc\n")
    inlet.arrive()
    inlet.take()
    got = inlet.evbuf.readline()
    assert got is None, f"readline gave {got!r} when all had been read"


@rule("levent.bufevent.readline-none")
@pytest.mark.parametrize(
    "text",
    [b"a", b"abc", b"\0", b" ", b"x" * 4096, b"x" * 65536, b"x" * 99_000],
    ids=lambda text: f"{len(text)} bytes",
)
@pytest.mark.parametrize("times", [1, 3])
def test_what_has_no_break_is_not_drained(
    rounds: LeventDriver, channels: Channels, text: bytes, times: int
) -> None:
    """However often it is asked; then a break comes, and the line is whole."""
    inlet = _started(rounds, channels)
    inlet.send_bytes(text)
    inlet.arrive()
    for _ in range(times):
        got = inlet.evbuf.readline()
        assert got is None, f"readline gave {got[:20]!r} of {len(text)} bytes without a break"
    inlet.send_bytes(b"def\n")
    inlet.arrive()
    line = inlet.evbuf.readline()
    assert line is not None, "readline gave None for a line whose break came later"
    same(line, text + b"def", "a line whose break came later")


@rule("levent.bufevent.readline-none")
@pytest.mark.parametrize(
    "text", [b"a", b"abc", b"x" * 70_000], ids=lambda text: f"{len(text)} bytes"
)
def test_read_gives_what_readline_did_not(
    rounds: LeventDriver, channels: Channels, text: bytes
) -> None:
    """Nothing was removed; after a line, too."""
    inlet = _started(rounds, channels)
    inlet.send_bytes(b"line\n" + text)
    inlet.arrive()
    inlet.evbuf.readline()
    got = inlet.evbuf.readline()
    assert got is None, f"readline gave {got[:20]!r} of {len(text)} bytes without a break"
    left = inlet.take_whatever()
    assert len(left) == len(text), f"readline gave None and left {len(left)} bytes of {len(text)}"
    same(left, text, "what readline left")


@rule("levent.bufevent.readline-none")
@pytest.mark.parametrize("end", ["close", "nothing"])
def test_the_end_of_the_file_breaks_no_line(
    rounds: LeventDriver, channels: Channels, end: str
) -> None:
    """The line will never be finished; its bytes can be read.

    If they are gone when no line was asked for, the end took them.
    """

    def ended() -> ReceivingBuffer:
        inlet = _started(rounds, channels)
        inlet.send_bytes(b"two")
        inlet.arrive()
        if end == "close":
            inlet.far.close()
        rounds.quiet()
        return inlet

    if ended().take_whatever() == b"two":
        inlet = ended()
        got = inlet.evbuf.readline()
        assert got is None, f"readline gave {got!r}, which has no break, at the end of the file"
        left = inlet.take_whatever()
        assert left == b"two", f"read() gave {left!r} of the unfinished line b'two'"


@rule("levent.bufevent.readline-none")
def test_a_stop_breaks_no_line(rounds: LeventDriver, channels: Channels) -> None:
    """The line may be finished after a start."""
    inlet = _started(rounds, channels)
    inlet.send_bytes(b"abc")
    inlet.arrive()
    inlet.evbuf.stop()
    got = inlet.evbuf.readline()
    assert got is None, f"readline gave {got!r}, which has no break, of one that was stopped"


@rule("levent.bufevent.readline-none")
@pytest.mark.parametrize("high", [1, 5, 4096])
def test_a_full_input_breaks_no_line(rounds: LeventDriver, channels: Channels, high: int) -> None:
    """Its high watermark is reached, and no line can ever be whole; the program takes it then."""
    lines: list[bytes | None] = []

    def read(*_arguments: object) -> None:
        lines.append(inlet.evbuf.readline())
        if inlet.level >= high:
            inlet.take_whatever()

    inlet = ReceivingBuffer(rounds, channels.pair(), read)
    inlet.evbuf.set_read_watermarks(0, high)
    inlet.evbuf.start()
    inlet.send_bytes(b"x" * high)
    rounds.quiet()
    got = next((line for line in lines if line is not None), None)
    assert got is None, f"readline gave {got[:20]!r} of {high} bytes without a break"


@rule("levent.bufevent.readline-none")
def test_a_break_that_waits_in_the_file_is_not_found(
    rounds: LeventDriver, channels: Channels
) -> None:
    """It came when no loop ran."""
    inlet = _started(rounds, channels)
    inlet.send_bytes(b"abc")
    inlet.arrive()
    inlet.send_bytes(b"def\n")
    got = inlet.evbuf.readline()
    assert got is None, f"readline gave {got!r}; its break had not arrived"
    assert inlet.waiting == 4, "readline took bytes from the file"


@rule("levent.bufevent.readline-crlf")
@pytest.mark.parametrize(
    "text",
    [b"a\r\nb", b"a\n\rb", b"a\rb", b"a\r", b"a\n\nb", b"a\r\n\r\nb", b"a\r\rb", b"a\0\r\nb"],
    ids=repr,
)
def test_what_breaks_a_line(
    rounds: LeventDriver, channels: Channels, observe: Observation, text: bytes
) -> None:
    """It came at once."""
    inlet = _started(rounds, channels)
    inlet.send_bytes(text)
    inlet.arrive()
    observe(_told(inlet), of=repr(text))


@rule("levent.bufevent.readline-crlf")
@pytest.mark.parametrize("looked", [False, True], ids=["not looked at", "looked at"])
def test_a_carriage_return_that_comes_before_its_line_feed(
    rounds: LeventDriver, channels: Channels, observe: Observation, looked: bool
) -> None:
    """In two arrivals."""
    inlet = _started(rounds, channels)
    inlet.send_bytes(b"a\r")
    inlet.arrive()
    first = f"{inlet.evbuf.readline()!r}, " if looked else ""
    inlet.send_bytes(b"\nb\n")
    inlet.arrive()
    observe(first + _told(inlet), of=f"'a\\r', {'readline, ' if looked else ''}'\\nb\\n'")


def _told(inlet: ReceivingBuffer) -> str:
    """The lines, and what is left."""
    lines: list[bytes] = []
    while len(lines) < 9 and (line := inlet.evbuf.readline()) is not None:
        lines.append(line)
    return f"{lines}, {inlet.take()!r} left"
