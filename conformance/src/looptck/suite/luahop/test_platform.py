"""LuaHop, platform: what the kernel facilities that the document names can do."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain
from looptck.testing.hop_driver import poll_until
from looptck.testing.observation import Observation
from looptck.testing.trace import Trace


@rule("luahop.platform.epoll")
@pytest.mark.parametrize("mask", ["r", "w"])
@pytest.mark.parametrize("number", [1023, 1024, 1025, 2500])
def test_a_descriptor_of_any_number_is_called(
    luahop: Luahop, channels: Channels, trace: Trace, number: int, mask: str
) -> None:
    """The test takes the first free number from there on."""
    near, far = channels.pair()
    high = channels.numbered(near, number)
    far.send(b"x")
    hop = luahop.new()
    hop.set_listener(high.fileno(), mask, lambda: trace(mask))
    poll_until(hop, f"the {mask!r} listener of a descriptor numbered {number}", lambda: trace)
    hop.remove_listener(high.fileno(), mask)


@rule("luahop.platform.epoll")
def test_hundreds_of_descriptors_ready_at_once_are_all_called(
    luahop: Luahop, channels: Channels
) -> None:
    """Each callback takes its own byte: a call for another descriptor's byte shows."""
    called: set[int] = set()
    hop = luahop.new()

    def watch(number: int) -> None:
        near, far = channels.pair()
        high = channels.numbered(near, 950)
        far.send(b"x")

        def on_read() -> None:
            drain(high)
            called.add(number)

        hop.set_listener(high.fileno(), "r", on_read)

    for number in range(200):
        watch(number)
    what = "two hundred ready descriptors are called"
    # a loop may serve one at a time, and be slow
    poll_until(hop, what, lambda: len(called) == 200, within=3000)


@rule("luahop.platform.epoll")
def test_a_regular_file_does_no_harm(
    luahop: Luahop, channels: Channels, trace: Trace, tmp_path: Path
) -> None:
    """epoll refuses it and poll(2) has it always ready; another descriptor must not suffer."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    with open(tmp_path / "file", "w+b") as file:
        try:
            hop.set_listener(file.fileno(), "r", lambda: None)
        except Exception:
            accepted = False
        else:
            accepted = True
        hop.set_listener(near.fileno(), "r", lambda: trace("socket"))
        poll_until(hop, "a socket is called beside a regular file", lambda: trace)
        if accepted:
            hop.remove_listener(file.fileno(), "r")


@rule("luahop.platform.kqueue")
def test_the_kernel_objects_of_a_loop_are_recorded(
    luahop: Luahop, channels: Channels, trace: Trace, observe: Observation
) -> None:
    """The test compares the open descriptors before and after a loop is used."""
    near, far = channels.pair()
    far.send(b"x")
    before = _descriptors()
    hop = luahop.new()
    hop.set_listener(near.fileno(), "r", lambda: trace("read"))
    poll_until(hop, "the listener is called", lambda: trace)
    kinds = sorted({kind for fd, kind in _descriptors().items() if fd not in before})
    observe(", ".join(kinds) or "no descriptor of its own")
    hop.remove_listener(near.fileno(), "r")


def _descriptors() -> dict[int, str]:
    """Return {number: kind} of the open descriptors, as far as the platform tells kinds apart."""
    numbers = [int(name) for name in os.listdir("/dev/fd")]
    return {fd: kind for fd in numbers if (kind := _kind(fd))}


def _kind(fd: int) -> str:
    try:
        os.fstat(fd)
    except OSError:  # the one that listed the folder
        return ""
    if sys.platform != "linux":
        return "a descriptor of unknown kind"
    target = os.readlink(f"/proc/self/fd/{fd}")
    return target.removeprefix("anon_inode:").strip("[]").partition(":")[0]
