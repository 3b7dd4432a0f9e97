"""luaevent, bufferevent: cases that are open are observed."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from looptck.rules.markers import rule
from looptck.testing.bufferevent_driver import BufferEventDriver, Script
from looptck.testing.channels import Channels
from looptck.testing.observation import Observation


@rule("luaevent.bufferevent.chunks")
def test_the_number_of_read_calls_is_recorded(
    driver: BufferEventDriver, channels: Channels, observe: Observation
) -> None:
    """The number of calls may depend on the machine; whether it is one does not."""
    near, far = channels.pair()
    levels: list[int] = []

    def script() -> Script:
        held = driver.bufferevent(near, read=lambda held: levels.append(held.input_length))
        size = far.send(bytes(60_000))
        held.enable(driver.read)
        yield from driver.until(lambda: held.input_length == size)
        yield from driver.run_idle()

    driver.run_script(script)
    said = {0: "no call", 1: "one call"}.get(len(levels), "several calls")
    observe(said, of="60 000 bytes that wait")


@rule("luaevent.bufferevent.chunks")
def test_the_callback_that_comes_first_is_recorded(
    driver: BufferEventDriver, channels: Channels, observe: Observation
) -> None:
    """A first call with nothing to send, which a loop may make or not, comes before."""
    near, far = channels.pair()

    def script() -> Script:
        held = driver.bufferevent(near)
        held.enable(driver.both)
        yield from driver.run_idle()
        driver.trace.clear()
        far.send(b"in")
        held.output.add(b"out")
        yield from driver.until(lambda: driver.count("read") and driver.count("write"))

    driver.run_script(script)
    observe(
        f"{driver.trace[0]} first" if driver.trace else "no call", of="data and room in one turn"
    )


class _OopsError(Exception):
    """The exception that a callback raises."""


@rule("luaevent.bufferevent.error-in-callback")
@pytest.mark.parametrize("callback", ["read", "write", "error"])
def test_an_exception_in_a_callback_is_recorded(
    driver: BufferEventDriver, channels: Channels, observe: Observation, callback: str
) -> None:
    """The loop runs a second time, to see whether it still serves the bufferevent."""
    near, far = channels.pair()
    calls: list[str] = []

    def acting(name: str) -> Any:
        def act(*_arguments: Any) -> None:
            if len(calls) < 1000:
                calls.append(name)
                if name == callback:
                    raise _OopsError(name)

        return act

    made = driver.luaevent.bufferevent.new(
        driver.base, near.fileno(), acting("read"), acting("write"), acting("error")
    )

    def happen() -> Script:
        held = again.keep(made)
        held.enable(driver.both)
        far.send(b"in")
        held.output.add(b"out")
        if callback == "error" and not calls:
            far.close()
        yield from again.run_idle()

    said = []
    for of in ("the exception", "the next one"):
        again = BufferEventDriver(driver.luaevent, channels)
        again.base = driver.base
        before = calls.count(callback)
        came_out = "is lost"
        try:
            with suppress(OSError):  # the peer may be gone
                again.run_script(happen)
        except _OopsError:
            came_out = "comes out of loop()"
        except Exception as error:
            came_out = f"becomes a {type(error).__name__}"
        said.append(came_out if calls.count(callback) > before else "does not come")
        observe(said[-1], of=f"{of} in {callback}")
