"""LuaHop, platform: what the kernel facilities that the document names can do."""

from __future__ import annotations

import tempfile

from looptck.protocols.luahop import Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.hop_driver import poll_until
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
