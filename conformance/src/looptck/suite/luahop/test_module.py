"""LuaHop, module: `new`, and the names of the document."""

from __future__ import annotations

from looptck.protocols.luahop import ENTRY_NAMES, LOOP_NAMES, Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain
from looptck.testing.hop_driver import poll_for, poll_until
from looptck.testing.trace import Trace


@rule("luahop.module.new")
def test_removing_a_listener_in_one_loop_keeps_the_other(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """The loop without the listener must stay silent up to a later timer of its own."""
    near, far = channels.pair()
    kept, removed = luahop.new(), luahop.new()
    kept.set_listener(near.fileno(), "r", lambda: trace("kept"))
    removed.set_listener(near.fileno(), "r", lambda: trace("removed"))
    removed.remove_listener(near.fileno(), "r")
    far.send(b"x")
    poll_until(kept, "the loop that still has the listener calls it", lambda: trace)
    poll_for(removed, 5, trace)
    assert set(trace) == {"kept"}, "the loop without a listener called one"
    assert drain(near) == b"x"


@rule("luahop.module.new")
def test_a_loop_that_is_dropped_takes_nothing_from_another(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """The dropped loop had the same descriptor and a timer; its clean-up may remove too much."""
    near, far = channels.pair()
    stays, goes = luahop.new(), luahop.new()
    stays.set_listener(near.fileno(), "r", lambda: trace("listener"))
    stays.set_timeout({"ms": 2}, lambda: trace("timeout"))
    goes.set_listener(near.fileno(), "r", lambda: trace("dropped"))
    goes.set_timeout({"ms": 1}, lambda: trace("dropped"))
    close = getattr(goes, "close", None)
    if callable(close):
        close()
    del goes, close
    far.send(b"x")
    poll_until(stays, "the listener of the other loop is called", lambda: "listener" in trace)
    drain(near)
    poll_until(stays, "the timer of the other loop fires", lambda: "timeout" in trace)
    assert "dropped" not in trace


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
