"""levent, buffered events: the high watermark of the input, which the document only names, is
observed."""

from __future__ import annotations

import pytest

from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation

# So many calls are "again and again".
_MANY = 30


class _Patient(ReceivingBuffer):
    """Takes nothing in its calls, and stops its event if the calls have no end."""

    def __init__(self, driver: LeventDriver, channels: Channels, low: int, high: int) -> None:
        super().__init__(driver, channels.pair(), self._read)
        self.calls = 0
        self.evbuf.set_read_watermarks(low, high)

    def _read(self, *_arguments: object) -> None:
        self.calls += 1
        if self.calls == _MANY:
            self.evbuf.stop()

    def go_on(self) -> None:
        """Count the calls anew, and start the event again if it has stopped."""
        stopped = self.calls >= _MANY
        self.calls = 0
        if stopped:
            self.evbuf.start()


def _started(driver: LeventDriver, channels: Channels, low: int, high: int) -> _Patient:
    receiver = _Patient(driver, channels, low, high)
    receiver.evbuf.start()
    return receiver


def _calls(count: int) -> str:
    return {0: "no call", 1: "one call"}.get(
        count, "several calls" if count < _MANY else "called again and again"
    )


@rule("levent.buffer.read-highwater")
@pytest.mark.parametrize("high", [1, 4, 9, 10, 11])
def test_the_level_at_the_high_watermark_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, high: int
) -> None:
    """Ten bytes come at once and no call takes any."""
    receiver = _started(driver, channels, 0, high)
    receiver.send(10)
    driver.run_idle()
    observe(f"{receiver.input_length} bytes in the input", of=f"10 sent, high {high}")


@rule("levent.buffer.read-highwater")
@pytest.mark.parametrize("high", [4096, 65536])
def test_the_level_of_a_large_input_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, high: int
) -> None:
    """A hundred thousand bytes come; there are passes enough to read 1024 at a time."""
    receiver = _started(driver, channels, 0, high)
    receiver.send(100_000)
    driver.run_idle(100)
    level = receiver.input_length
    said = "all" if level == 100_000 else "more than high" if level > high else "high at most"
    observe(said, of=f"100000 sent, high {high}")


@rule("levent.buffer.read-highwater")
def test_the_calls_at_the_high_watermark_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """A full input takes no further byte: a call tells of bytes that are there."""
    receiver = _started(driver, channels, 0, 4)
    receiver.send(10)
    driver.run_idle(2 * _MANY)
    observe(_calls(receiver.calls), of="10 sent, high 4, calls")


@rule("levent.buffer.read-highwater")
@pytest.mark.parametrize("size", [1, 3, 4])
def test_the_level_at_which_reading_goes_on_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, size: int
) -> None:
    """Ten bytes were sent, the high watermark is four, and some of the input is taken."""
    receiver = _started(driver, channels, 0, 4)
    receiver.send(10)
    driver.run_idle()
    receiver.take(size)
    receiver.go_on()
    driver.run_idle()
    observe(f"{receiver.waiting} bytes wait on", of=f"{size} of 4 taken, 6 waiting")
    observe(_calls(receiver.calls), of=f"{size} of 4 taken, calls")


@rule("levent.buffer.read-highwater")
@pytest.mark.parametrize("high", [0, 3, 4, 20])
def test_a_change_of_the_high_watermark_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, high: int
) -> None:
    """The high watermark is four at first; ten bytes were sent."""
    receiver = _started(driver, channels, 0, 4)
    receiver.send(10)
    driver.run_idle()
    receiver.evbuf.set_read_watermarks(0, high)
    receiver.go_on()
    driver.run_idle()
    observe(f"{receiver.input_length} bytes in the input", of=f"10 sent, high 4 and then {high}")


@rule("levent.buffer.read-highwater")
@pytest.mark.parametrize("low, high", [(4, 4), (5, 4), (10, 4)])
def test_a_low_watermark_at_or_above_high_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, low: int, high: int
) -> None:
    """The input may never reach such a low watermark, unless a loop makes an exception."""
    situation = f"low {low}, high {high}, 12 sent"
    try:
        receiver = _Patient(driver, channels, low, high)
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of=situation)
        return
    receiver.evbuf.start()
    receiver.send(12)
    driver.run_idle()
    told = "called" if receiver.calls else "not called"
    observe(f"{told}, {receiver.input_length} bytes in the input", of=situation)


@rule("levent.buffer.read-highwater")
@pytest.mark.parametrize("marks", [(-1, 0), (0, -1), (1.5, 0), ("1", 0), (None, None)], ids=str)
def test_watermarks_that_are_no_counts_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, marks: tuple[int, int]
) -> None:
    """The values count no bytes."""
    receiver = ReceivingBuffer(driver, channels.pair())
    try:
        receiver.evbuf.set_read_watermarks(*marks)
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of=f"watermarks {marks}")
    else:
        observe("accepted", of=f"watermarks {marks}")
