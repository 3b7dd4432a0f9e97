"""LuaHop, module: `new`, and the names of the document."""

from __future__ import annotations

from looptck.protocols.luahop import ENTRY_NAMES, LOOP_NAMES, Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.trace import Trace


@rule("luahop.module.names")
def test_each_function_takes_the_documents_arguments_by_position(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """One small program calls every function; other rules judge their effects.

    `clear_timer` as a method of the loop would not do: the document calls it bare.
    """
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    for what, value, names in (("module", luahop, ENTRY_NAMES), ("loop", hop, LOOP_NAMES)):
        missing = [name for name in names if not callable(getattr(value, name, None))]
        assert not missing, f"the {what} has no function {', '.join(missing)}"
    hop.set_listener(near.fileno(), "r", lambda: trace("listener"))
    timeout = hop.set_timeout({"ms": 1}, lambda: trace("timer"))
    interval = hop.set_interval({"ms": 1}, lambda: trace("timer"))
    hop.poll()
    hop.remove_listener(near.fileno(), "r")
    luahop.clear_timer(timeout)
    luahop.clear_timer(interval)
