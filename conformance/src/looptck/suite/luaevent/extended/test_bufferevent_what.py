"""luaevent, bufferevent: the flags that the three callbacks get."""

from __future__ import annotations

from typing import Any

import pytest

from looptck.protocols.luaevent_extended import LuaeventExtended
from looptck.rules.markers import rule
from looptck.testing.buffer_channels import narrow_channel
from looptck.testing.bufferevent_driver import (
    BufferEventDriver,
    OwnedBufferEvent,
    Script,
    error_flag_names,
    flags_argument,
)
from looptck.testing.channels import Channels, drain, fill, reset
from looptck.testing.payload import payload


def _new(driver: BufferEventDriver, end: Any, **acts: Any) -> OwnedBufferEvent:
    """A bufferevent whose callbacks pass on the flags they got, and nothing else."""

    def passing(name: str) -> Any:
        act = acts.get(name, lambda _what: None)
        return driver.callback(lambda *arguments: act(flags_argument(arguments)))

    made = driver.luaevent.bufferevent.new(
        driver.base, end.fileno(), passing("read"), passing("write"), passing("error")
    )
    return driver.keep(made)


@rule("luaevent.bufferevent.what-read")
@pytest.mark.parametrize("portion", [1, 3, 64], ids="{} at a time".format)
@pytest.mark.parametrize("taken", [None, 0, 2], ids=["takes all", "takes none", "takes 2"])
@pytest.mark.parametrize(
    "low, high", [(0, 0), (0, 1), (0, 5), (1, 1), (2, 0), (4, 5), (5, 5), (5, 6), (6, 60), (1, 64)]
)
def test_read_gets_its_flag_and_a_level_within_watermarks(
    driver: BufferEventDriver,
    channels: Channels,
    low: int,
    high: int,
    portion: int,
    taken: int | None,
) -> None:
    """64 bytes pass, or as many as a callback that takes too little lets in."""
    near, far = channels.pair()
    read = driver.luaevent.EVBUFFER_READ

    def on_read(what: int) -> None:
        assert what == read, (
            "the read callback is to get EVBUFFER_READ; it got "
            f"{error_flag_names(driver.luaevent, what)} "
            f"({what}, EVBUFFER_READ is {read})"
        )
        level = held.input_length
        assert level >= low, f"read was called with {level} bytes; the low watermark is {low}"
        assert not high or level <= high, (
            f"read was called with {level} bytes; the high watermark is {high}"
        )
        if taken != 0:
            held.input.drain(level if taken is None else taken)

    held = _new(driver, near, read=on_read)

    def script() -> Script:
        held.set_read_watermarks(low, high)
        held.enable(driver.read)
        for _ in range(0, 64, portion):
            far.send(bytes(portion))
            yield from driver.run_idle(3)
        yield from driver.run_idle()

    driver.run_script(script)


@rule("luaevent.bufferevent.what-read")
@pytest.mark.parametrize("before, after", [(0, 10), (10, 20), (20, 10), (30, 0)])
def test_read_follows_a_changed_low_watermark(
    driver: BufferEventDriver, channels: Channels, before: int, after: int
) -> None:
    """The watermark changes while 8 bytes are there; some of the new ones are higher than that."""
    near, far = channels.pair()
    low = before

    def on_read(_what: int) -> None:
        assert held.input_length >= low, (
            f"read was called with {held.input_length} bytes; the low watermark was {before} "
            f"and is {low}"
        )

    held = _new(driver, near, read=on_read)

    def script() -> Script:
        nonlocal low
        held.set_read_watermarks(before, 0)
        held.enable(driver.read)
        far.send(bytes(8))
        yield from driver.run_idle()
        low = after
        held.set_read_watermarks(after, 0)
        for _ in range(16):
            far.send(b"x")
            yield from driver.run_idle(5)

    driver.run_script(script)


def _play_both_ways(
    driver: BufferEventDriver, channels: Channels, wanted: str, *, taken: bool
) -> None:
    """Let bytes come, room come, both in one turn, and the end with the last bytes."""
    near, far = narrow_channel(channels)
    flag = getattr(driver.luaevent, f"EVBUFFER_{wanted.upper()}")
    told: list[int] = []

    def read(what: int) -> None:
        if wanted == "read":
            told.append(what)
        if taken:
            held.input.drain(held.input_length)

    held = _new(driver, near, read=read, write=told.append if wanted == "write" else lambda _: None)

    def script() -> Script:
        held.enable(driver.both)
        for size in (1, 9000, 100, 20_000):
            far.send(b"in")
            held.output.add(payload(size))
            for _ in range(8):
                drain(far)
                yield None
                far.send(b"x")
                yield None
        far.send(b"last")
        far.close()
        yield from driver.run_idle()
        odd = [what for what in told if what != flag]
        assert not odd, (
            f"the {wanted} callback is to get EVBUFFER_{wanted.upper()} alone; while bytes went "
            f"both ways it got {error_flag_names(driver.luaevent, odd[0])} ({odd[0]}; the flag "
            f"is {flag})"
        )

    driver.run_script(script)


@rule("luaevent.bufferevent.what-read")
@pytest.mark.parametrize("taken", [True, False], ids=["taken", "left"])
def test_read_gets_its_own_flag_while_bytes_go_both_ways(
    driver: BufferEventDriver, channels: Channels, *, taken: bool
) -> None:
    """Room and the end come in the same turn; their flags must not be added."""
    _play_both_ways(driver, channels, "read", taken=taken)


@rule("luaevent.bufferevent.what-write")
@pytest.mark.parametrize("taken", [True, False], ids=["taken", "left"])
def test_write_gets_its_own_flag_while_bytes_go_both_ways(
    driver: BufferEventDriver, channels: Channels, *, taken: bool
) -> None:
    """Data and the end come in the same turn; their flags must not be added."""
    _play_both_ways(driver, channels, "write", taken=taken)


@rule("luaevent.bufferevent.what-write")
@pytest.mark.parametrize("case", ["1 byte", "100 bytes", "more than there is room for", "enabled"])
@pytest.mark.parametrize("low", [0, 10, 50_000])
def test_write_gets_its_flag(
    driver: BufferEventDriver, channels: Channels, case: str, low: int
) -> None:
    """The read callback is called for data at the same time; its flag is another one."""
    near, far = narrow_channel(channels)
    write = driver.luaevent.EVBUFFER_WRITE
    calls: list[int] = []

    def on_write(what: int) -> None:
        calls.append(what)
        assert what == write, (
            "the write callback is to get EVBUFFER_WRITE; it got "
            f"{error_flag_names(driver.luaevent, what)} "
            f"({what}, EVBUFFER_WRITE is {write})"
        )

    def received() -> bool:
        if drain(far):
            driver.note_progress()
        return bool(calls)

    def script() -> Script:
        held = _new(driver, near, write=on_write)
        held.set_write_watermarks(low, 0)
        held.enable(driver.read)
        far.send(b"in")
        if case == "enabled":
            held.disable(driver.write)
            held.enable(driver.write)
            yield from driver.run_idle()
        size = {"100 bytes": 100, "more than there is room for": 20_000}.get(case, 1)
        held.output.add(payload(size))
        called = yield from driver.until(received)
        assert called, f"{size} bytes were added and received, and write was not called"
        yield from driver.run_idle()

    driver.run_script(script)


@rule("luaevent.bufferevent.what-error")
@pytest.mark.parametrize("enabled", ["one direction", "both directions"])
@pytest.mark.parametrize(
    "happens",
    [
        "EOF READ",
        "EOF READ, after data",
        "ERROR READ",
        "ERROR WRITE",
        "TIMEOUT READ",
        "TIMEOUT WRITE",
    ],
)
def test_error_gets_the_event_and_one_direction(
    luaevent: LuaeventExtended,
    driver: BufferEventDriver,
    channels: Channels,
    happens: str,
    enabled: str,
) -> None:
    """Where the peer is gone both directions may report, so the test judges each report by
    itself."""
    told: list[int] = []
    wanted = sum(
        getattr(luaevent, f"EVBUFFER_{name}") for name in happens.partition(",")[0].split()
    )
    allowed = {
        getattr(luaevent, f"EVBUFFER_{what}") | getattr(luaevent, f"EVBUFFER_{direction}")
        for what in ("EOF", "ERROR", "TIMEOUT")
        for direction in ("READ", "WRITE")
    }

    def script() -> Script:
        near, far = channels.tcp_pair() if happens == "ERROR READ" else channels.pair()
        held = _new(driver, near, error=told.append)
        writes = happens.endswith("WRITE")
        only = driver.write if writes else driver.read
        if happens == "TIMEOUT WRITE":
            fill(near)
        held.disable(driver.both)
        held.enable(only if enabled == "one direction" else driver.both)
        if happens == "EOF READ, after data":
            far.send(b"data")
            yield from driver.run_idle()
        if happens == "ERROR READ":
            reset(far)
        elif "TIMEOUT" not in happens:
            far.close()
        if happens.startswith("TIMEOUT"):
            held.set_timeouts(0 if writes else 0.02, 0.02 if writes else 0)
        if writes:
            held.output.add(b"out")
        wait = driver.within_time if "TIMEOUT" in happens else driver.until
        yield from wait(lambda: wanted in told)
        row = ", ".join(error_flag_names(luaevent, what) for what in told) or "nothing"
        assert wanted in told, f"{happens} was to be reported; there came {row}"
        odd = [what for what in told if what not in allowed]
        assert not odd, (
            f"what happened in one direction was to be reported; there came {row} "
            f"(as numbers: {', '.join(map(str, told))})"
        )

    driver.run_script(script)
