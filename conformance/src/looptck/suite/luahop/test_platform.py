"""LuaHop, platform: what the kernel facilities that the document names can do."""

from __future__ import annotations

import os
import sys
import tempfile

from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.hop_driver import poll_until
from looptck.testing.observation import Observation
from looptck.testing.resources import open_numbers
from looptck.testing.trace import Trace


@rule("luahop.platform.epoll")
def test_a_regular_file_does_no_harm(luahop: Luahop, channels: Channels, trace: Trace) -> None:
    """epoll refuses it and poll(2) has it always ready; another descriptor must not suffer."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    with tempfile.TemporaryFile() as file:
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
    return {fd: _kind(fd) for fd in open_numbers()}


def _kind(fd: int) -> str:
    if sys.platform != "linux":
        return "a descriptor of unknown kind"
    target = os.readlink(f"/proc/self/fd/{fd}")
    return target.removeprefix("anon_inode:").strip("[]").partition(":")[0]
