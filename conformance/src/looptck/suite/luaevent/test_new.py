"""luaevent, luaevent.core.new: each call makes a base of its own."""

from __future__ import annotations

import pytest

from looptck.protocols.luaevent import Luaevent
from looptck.rules.markers import rule
from looptck.testing.channels import Channels
from looptck.testing.luaevent_driver import LuaeventDriver

_SHORT = 0.01
_LONG = 0.2


@rule("luaevent.new.returns-base")
@pytest.mark.parametrize("name", ["addevent", "loop", "close"])
def test_a_base_has_each_function_of_the_document(luaevent: Luaevent, name: str) -> None:
    """The rules of each function judge its effects."""
    base = luaevent.new()
    assert callable(getattr(base, name, None)), f"what new() returned has no function {name!r}"


@rule("luaevent.new.returns-base")
@pytest.mark.parametrize("before", ["nothing", "a base that was used", "a base with an event"])
def test_no_event_is_registered_in_a_fresh_base(
    luaevent: Luaevent, channels: Channels, before: str
) -> None:
    """The loop would wait for such an event, or call it."""
    driver = LuaeventDriver(luaevent)
    near, _ = channels.pair()
    if before != "nothing":
        driver.add("event", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)
    if before == "a base that was used":
        driver.run()
        driver.trace.clear()
    luaevent.new().loop()
    assert not driver.trace, "the loop of a fresh base called the event of another one"


@rule("luaevent.new.independent")
def test_a_loop_calls_the_callbacks_of_its_own_base_only(
    luaevent: Luaevent, channels: Channels
) -> None:
    """The events of all three bases are ready or due; each loop runs in turn."""
    drivers = [LuaeventDriver(luaevent) for _ in range(3)]
    for driver in drivers:
        near, far = channels.pair()
        far.send(b"unread")
        driver.add("reader", near.fileno(), luaevent.EV_READ, luaevent.LEAVE)
        driver.add("writer", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)
        driver.add("timer", None, luaevent.EV_TIMEOUT, luaevent.LEAVE, timeout=_SHORT)
    for ran, driver in [(1, drivers[1]), (0, drivers[0]), (2, drivers[2])]:
        waiting = [other for other in drivers if other is not driver and not other.trace]
        driver.run()
        assert sorted(driver.trace) == ["reader read", "timer timeout", "writer write"], (
            f"base {ran + 1} had three events due; its loop called {', '.join(driver.trace)}"
        )
        for other in waiting:
            assert not other.trace, (
                f"the loop of base {ran + 1} called {other.trace[0]!r}, which is another base's"
            )


@rule("luaevent.new.independent")
@pytest.mark.parametrize("made", ["before", "after"])
def test_a_loop_does_not_wait_for_the_events_of_another_base(
    luaevent: Luaevent, channels: Channels, made: str
) -> None:
    """The other base has a reader that never gets data, and a timer that ends it."""
    empty = luaevent.new() if made == "before" else None
    other = LuaeventDriver(luaevent)
    near, _far = channels.pair()
    other.add("reader", near.fileno(), luaevent.EV_READ, luaevent.LEAVE)
    other.after("timer", _LONG, other.close_all)
    (empty or luaevent.new()).loop()
    assert not other.trace, "the loop of an empty base served the events of another one"
    other.close_all()


@rule("luaevent.new.independent")
@pytest.mark.parametrize("first", ["reads", "writes"])
def test_two_bases_may_watch_one_descriptor(
    luaevent: Luaevent, channels: Channels, first: str
) -> None:
    """The first base stops watching by LEAVE; the second one must still see the readiness."""
    near, far = channels.pair()
    far.send(b"unread")
    read, write = luaevent.EV_READ, luaevent.EV_WRITE
    one, two = LuaeventDriver(luaevent), LuaeventDriver(luaevent)
    own, others = (read, write) if first == "reads" else (write, read)
    one.add("one", near.fileno(), own, luaevent.LEAVE)
    two.add("two", near.fileno(), others, luaevent.LEAVE)
    same = LuaeventDriver(luaevent)
    same.add("same", near.fileno(), own, luaevent.LEAVE)
    for driver in (one, two, same):
        driver.run()
    names = ("read", "write") if first == "reads" else ("write", "read")
    one.assert_calls(f"one {names[0]}")
    two.assert_calls(f"two {names[1]}")
    same.assert_calls(f"same {names[0]}")


@rule("luaevent.new.independent")
def test_an_event_closed_in_one_base_stays_in_the_other(
    luaevent: Luaevent, channels: Channels
) -> None:
    """Both bases watch the descriptor in the same direction, with callbacks of one kind."""
    near, _ = channels.pair()
    one, two = LuaeventDriver(luaevent), LuaeventDriver(luaevent)
    closed = one.add("one", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)
    two.add("two", near.fileno(), luaevent.EV_WRITE, luaevent.LEAVE)
    closed.close()
    two.run()
    two.assert_calls("two write")
    assert not one.trace, "a closed event was called by the loop of another base"
