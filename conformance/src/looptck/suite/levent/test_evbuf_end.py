"""levent, buffered events: all sent bytes arrive, whole and before the end of the file."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer
from looptck.testing.channels import Channels, fill
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.payload import assert_same, payload

CHANNELS: dict[str, Callable[[Channels], tuple[socket.socket, socket.socket]]] = {
    "socket pair": lambda channels: channels.pair(),
    "TCP": lambda channels: channels.tcp_pair(),
}
every_channel = pytest.mark.parametrize("channel", CHANNELS)

ENDS: dict[str, Callable[[socket.socket], None]] = {
    "close": lambda far: far.close(),
    "half close": lambda far: far.shutdown(socket.SHUT_WR),
}
every_end = pytest.mark.parametrize("end", ENDS)


class Reader(ReceivingBuffer):
    """Takes everything in each call and expects the end after all of it."""

    def __init__(
        self,
        driver: LeventDriver,
        ends: tuple[socket.socket, socket.socket],
        *,
        low: int = 0,
        high: int = 0,
        most: int | None = None,
        then: Callable[[], object] | None = None,
        output_fails: bool = False,
        name: str = "",
    ) -> None:
        # errorcb may be called for the output, long before the end
        on_error = None if output_fails else self._end
        super().__init__(driver, ends, self._read, None, on_error, name=name)
        self._most = most
        self._then = then
        # how much the program had, and how much was there besides, when the end was told
        self.at_end: tuple[int, int] | None = None
        self.evbuf.set_read_watermarks(low, high)

    def _read(self, *_arguments: object) -> None:
        if self._most is None:
            self.take_all()
        else:
            self.take(self._most)
        if self._then is not None:
            self._then()

    def _end(self, *_arguments: object) -> None:
        if self.at_end is None:
            had = len(self.taken)
            self.at_end = had, len(self.take_all())

    def finish(self, driver: LeventDriver) -> None:
        """Run until everything that was sent has come; nothing may come after that."""
        self.run_while_receiving(lambda: None)
        driver.run_idle()  # the end is met before the rest is taken
        driver.until(lambda: len(self.taken) + len(self.take_all()) >= len(self.sent))
        driver.run_idle(5)
        self.take_all()
        assert_same(self.sent, self.taken, "what arrived before the end of the file")
        if self.at_end is not None:
            there = sum(self.at_end)
            assert there == len(self.sent), (
                f"errorcb ran for the end of the file when {there} of {len(self.sent)} bytes had "
                "arrived"
            )


@rule("levent.newevbuf.data-before-eof")
@every_channel
@every_end
@pytest.mark.parametrize("size", [1, 2, 100, 16384, 65536, 100_000])
def test_everything_that_was_sent_arrives_before_the_end(
    driver: LeventDriver, channels: Channels, channel: str, end: str, size: int
) -> None:
    """Data and end are there before the loop's first look."""
    reader = Reader(driver, CHANNELS[channel](channels))
    reader.send(size)
    ENDS[end](reader.far)
    reader.evbuf.start()
    reader.finish(driver)
    called = [entry for entry in driver.trace if entry != "write"]
    assert called[:1] == ["read"], (
        f"{size} bytes and the end of the file were there; readcb was to come first, and "
        f"{called[0] if called else 'nothing'} came"
    )


@rule("levent.newevbuf.data-before-eof")
@every_end
@pytest.mark.parametrize("size", [0, 1, 5, 5000])
def test_the_last_bytes_arrive_with_the_end(
    driver: LeventDriver, channels: Channels, end: str, size: int
) -> None:
    """Some bytes have arrived; the last ones come together with the end."""
    reader = Reader(driver, channels.pair())
    reader.evbuf.start()
    reader.send(100)
    reader.run_until_received()
    before = driver.count("read")
    if size:
        reader.send(size)
    ENDS[end](reader.far)
    reader.finish(driver)
    assert not size or driver.count("read") > before, (
        f"the last {size} bytes, with the end of the file behind them, were not told by readcb"
    )


@rule("levent.newevbuf.data-before-eof")
@every_end
@pytest.mark.parametrize("portions", [1, 4])
def test_input_left_unread_is_there_after_the_end(
    driver: LeventDriver, channels: Channels, end: str, portions: int
) -> None:
    """The callbacks take nothing; the test reads everything at last."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    for _ in range(portions - 1):
        receiver.send(50_000)
        receiver.run_until_received()
    receiver.send(50_000)
    ENDS[end](receiver.far)
    receiver.run_while_receiving(lambda: None)
    driver.run_idle()
    receiver.take_all()
    assert_same(receiver.sent, receiver.taken, "what is in the input after the end of the file")


@rule("levent.newevbuf.data-before-eof")
@every_end
@pytest.mark.parametrize("low", [4, 10, 1000])
@pytest.mark.parametrize("rest", ["1", "low - 1"])
def test_a_rest_below_the_low_watermark_can_be_read_at_the_end(
    driver: LeventDriver, channels: Channels, end: str, low: int, rest: str
) -> None:
    """One full portion is told and taken; a part of another one is left for the end."""
    reader = Reader(driver, channels.pair(), low=low)
    reader.evbuf.start()
    reader.send(low)
    reader.run_until_received()
    reader.send(1 if rest == "1" else low - 1)
    ENDS[end](reader.far)
    reader.finish(driver)


@rule("levent.newevbuf.data-before-eof")
@pytest.mark.parametrize("low, high", [(0, 1), (1, 1), (0, 7), (7, 7), (7, 8), (10, 16), (16, 16)])
def test_nothing_is_lost_at_the_high_watermark(
    driver: LeventDriver, channels: Channels, low: int, high: int
) -> None:
    """A few portions, a part of one and the end come at once; each call takes a portion."""
    reader = Reader(driver, channels.pair(), low=low, high=high)
    reader.evbuf.start()
    reader.send(5 * high + high // 2)
    reader.far.close()
    reader.finish(driver)


@rule("levent.newevbuf.data-before-eof")
@pytest.mark.parametrize("low, high", [(0, 4096), (4096, 4096), (1, 16384), (4000, 70_000)])
def test_many_bytes_pass_through_a_high_watermark(
    driver: LeventDriver, channels: Channels, low: int, high: int
) -> None:
    """More bytes come than the loop takes at once, with the end behind them."""
    reader = Reader(driver, channels.pair(), low=low, high=high)
    reader.send(100_000)
    reader.far.close()
    reader.evbuf.start()
    reader.finish(driver)


@rule("levent.newevbuf.data-before-eof")
def test_single_bytes_pass_through_a_high_watermark(
    driver: LeventDriver, channels: Channels
) -> None:
    """Each byte is sent when the one before it has arrived, so the input is never more than
    full."""
    reader = Reader(driver, channels.pair(), low=3, high=3)
    reader.evbuf.start()
    for _ in range(10):
        reader.send(1)
        reader.run_until_received()
    reader.far.close()
    reader.finish(driver)


class _Pauser(ReceivingBuffer):
    """Stops the event in each call as long as it pauses, and takes everything in each later
    call."""

    def __init__(self, driver: LeventDriver, ends: tuple[socket.socket, socket.socket]) -> None:
        super().__init__(driver, ends, self._read)
        self.pauses = True

    def _read(self, *_arguments: object) -> None:
        if self.pauses:
            self.evbuf.stop()
        else:
            self.take_all()


@rule("levent.newevbuf.data-before-eof")
def test_an_input_that_is_drained_outside_of_calls_fills_again(
    driver: LeventDriver, channels: Channels
) -> None:
    """The input may be full when the event is stopped; all of it is taken before the next start."""
    receiver = _Pauser(driver, channels.pair())
    receiver.evbuf.set_read_watermarks(0, 10)
    receiver.evbuf.start()
    receiver.send(95)
    receiver.far.close()
    for _ in range(6):
        driver.run_idle(3)
        receiver.take_all()
        receiver.evbuf.start()
    receiver.pauses = False
    receiver.run_while_receiving(lambda: None)
    driver.run_idle(5)
    receiver.take_all()
    assert_same(
        receiver.sent, receiver.taken, "what arrived in an input that was drained again and again"
    )


@rule("levent.newevbuf.data-before-eof")
@pytest.mark.parametrize("high", [0, 10])
def test_a_high_watermark_that_is_lifted_lets_the_rest_in(
    driver: LeventDriver, channels: Channels, high: int
) -> None:
    """The high watermark is 5 for a hundred bytes; then it is 10, or none, and the input is
    taken."""
    receiver = _Pauser(driver, channels.pair())
    receiver.evbuf.set_read_watermarks(0, 5)
    receiver.send(100)
    receiver.far.close()
    receiver.evbuf.start()
    assert driver.until_count("read"), "100 bytes waited in the file, and readcb did not run"
    receiver.evbuf.set_read_watermarks(0, high)
    receiver.pauses = False
    receiver.take_all()
    receiver.evbuf.start()
    receiver.run_while_receiving(lambda: None)
    driver.run_idle(5)
    receiver.take_all()
    assert_same(receiver.sent, receiver.taken, "what arrived after the high watermark was lifted")


@rule("levent.newevbuf.data-before-eof")
@pytest.mark.parametrize("high", [1, 5, 4096])
def test_a_full_input_is_not_told_as_the_end_of_the_file(
    driver: LeventDriver, channels: Channels, high: int
) -> None:
    """The input stays full for a while; from the fourth call on it is emptied."""
    calls: list[int] = []

    def read(*_arguments: object) -> None:
        calls.append(receiver.input_length)
        if len(calls) > 3:
            receiver.take_all()

    receiver = ReceivingBuffer(driver, channels.pair(), read)
    receiver.evbuf.set_read_watermarks(0, high)
    receiver.evbuf.start()
    receiver.send(high * 3)
    driver.run_idle()
    assert not driver.count("error"), (
        f"errorcb ran; the file has not ended, but its input may be full: its high watermark is "
        f"{high}"
    )


@rule("levent.newevbuf.data-before-eof")
def test_many_small_pieces_arrive_in_order(driver: LeventDriver, channels: Channels) -> None:
    """The pieces are sent one by one while the loop runs; a part or all is taken now and then."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    for number in range(300):
        receiver.send(1 + number % 13)
        if number % 3 == 0:
            driver.run_once()
        if number % 7 == 0:
            receiver.take(1 + number % 11)
    receiver.far.close()
    receiver.run_while_receiving(lambda: None)
    driver.run_idle()
    receiver.take_all()
    assert_same(receiver.sent, receiver.taken, "what arrived in 300 pieces")


@rule("levent.newevbuf.data-before-eof")
def test_a_call_that_takes_a_portion_leaves_the_rest(
    driver: LeventDriver, channels: Channels
) -> None:
    """Each call takes ten bytes, however many there are; the test reads the rest at last."""
    reader = Reader(driver, channels.pair(), most=10)
    reader.evbuf.start()
    for _ in range(20):
        reader.send(25)
        driver.run_once()
    reader.far.close()
    reader.finish(driver)


@rule("levent.newevbuf.data-before-eof")
def test_the_input_goes_on_while_the_peer_takes_nothing(
    driver: LeventDriver, channels: Channels
) -> None:
    """The channel to the peer is full and output waits; the peer's bytes and its end arrive."""
    reader = Reader(driver, channels.pair())
    reader.evbuf.start()
    fill(reader.near)
    reader.evbuf.write(payload(1000))
    driver.run_idle(5)
    reader.send(5000)
    reader.far.shutdown(socket.SHUT_WR)
    reader.finish(driver)


@rule("levent.newevbuf.data-before-eof")
@every_end
@pytest.mark.parametrize("size, high", [(100, 0), (5000, 1000), (100_000, 0), (100_000, 4096)])
@pytest.mark.parametrize("written", ["at first", "when some has arrived", "in each call"])
def test_input_arrives_though_output_fails(
    driver: LeventDriver, channels: Channels, end: str, size: int, high: int, written: str
) -> None:
    """The peer takes nothing any more: the output meets an error, the input meets none."""

    def write() -> None:
        if len(reader.taken) < size:
            reader.evbuf.write(b"nobody reads this")

    reader = Reader(
        driver,
        channels.pair(),
        high=high,
        then=write if written == "in each call" else None,
        output_fails=True,
    )
    reader.send(size)
    if end == "half close":
        reader.far.shutdown(socket.SHUT_RD)
    ENDS[end](reader.far)
    reader.evbuf.start()
    if written == "when some has arrived":
        driver.until(lambda: reader.taken)
    if written != "in each call":
        write()
    reader.finish(driver)


@rule("levent.newevbuf.data-before-eof")
def test_the_end_of_one_file_leaves_other_files_alone(
    driver: LeventDriver, channels: Channels
) -> None:
    """Three connections end one after the other; the bytes of each are its own."""
    readers = [Reader(driver, channels.pair(), name=str(number)) for number in range(3)]
    for number, reader in enumerate(readers):
        reader.sent += payload(100, number * 1000)
        reader.far.send(payload(100, number * 1000))
        reader.evbuf.start()
    for number, reader in enumerate(readers):
        driver.run_once()
        reader.far.send(payload(50, number * 1000 + 100))
        reader.sent += payload(50, number * 1000 + 100)
        reader.far.close()
        reader.finish(driver)
