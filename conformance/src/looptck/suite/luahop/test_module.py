"""LuaHop, module: `new`, and the names of the document."""

from __future__ import annotations

import pytest

from looptck.protocols.luahop import ENTRY_NAMES, LOOP_NAMES, Luahop
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, drain
from looptck.testing.hop_driver import poll_for, poll_until
from looptck.testing.trace import Trace


@rule("luahop.module.new")
@pytest.mark.parametrize("name", LOOP_NAMES)
def test_a_new_loop_has_the_functions_of_a_loop(luahop: Luahop, name: str) -> None:
    """A second loop is asked too, since a module may hand out its first one ready-made."""
    for hop in (luahop.new(), luahop.new()):
        assert callable(getattr(hop, name, None)), f"the loop that new() returned has no {name}"


@rule("luahop.module.new")
def test_a_descriptor_in_two_loops_is_called_by_each_loop(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """The byte stays unread until the other loop polls, so each loop can call its own listener."""
    near, far = channels.pair()
    first, second = luahop.new(), luahop.new()
    first.set_listener(near.fileno(), "r", lambda: trace("first"))
    second.set_listener(near.fileno(), "r", lambda: trace("second"))
    far.send(b"x")
    poll_until(first, "the first loop calls its own listener", lambda: trace)
    assert set(trace) == {"first"}, "polling the first loop called the second one's listener"
    trace.clear()
    poll_until(second, "the second loop calls its own listener", lambda: trace)
    assert set(trace) == {"second"}, "polling the second loop called the first one's listener"


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
def test_a_timer_fires_in_its_own_loop_only(luahop: Luahop, trace: Trace) -> None:
    """The other loop polls past the deadline, up to a later timer of its own."""
    mine, other = luahop.new(), luahop.new()
    mine.set_timeout({"ms": 2}, lambda: trace("timeout"))
    mine.set_interval({"ms": 3}, lambda: trace("interval"))
    poll_for(other, 10, trace)
    assert trace == [], "a timer fired in the poll of a loop that it was not set in"
    poll_until(mine, "both timers fire in their own loop", lambda: len(set(trace)) == 2)


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
@pytest.mark.parametrize("name", LOOP_NAMES)
def test_a_loop_has_the_documents_names(luahop: Luahop, name: str) -> None:
    """Only presence is judged: a loop may have further names."""
    assert callable(getattr(luahop.new(), name, None)), f"a loop has no {name}"


@rule("luahop.module.names")
@pytest.mark.parametrize("name", ENTRY_NAMES)
def test_the_module_has_the_documents_free_functions(luahop: Luahop, name: str) -> None:
    """`clear_timer` as a method of the loop would not do: the document calls it bare."""
    assert callable(getattr(luahop, name, None)), f"the module has no function {name}"


@rule("luahop.module.names")
def test_each_function_takes_the_documents_arguments_by_position(
    luahop: Luahop, channels: Channels, trace: Trace
) -> None:
    """One small program calls every function; other rules judge their effects."""
    near, far = channels.pair()
    far.send(b"x")
    hop = luahop.new()
    hop.set_listener(near.fileno(), "r", lambda: trace("listener"))
    timeout = hop.set_timeout({"ms": 1}, lambda: trace("timer"))
    interval = hop.set_interval({"ms": 1}, lambda: trace("timer"))
    hop.poll()
    hop.remove_listener(near.fileno(), "r")
    luahop.clear_timer(timeout)
    luahop.clear_timer(interval)
