"""The same history gives the same calls on every poller."""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import partial

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tideloop import VirtualClock, available, luahop

ENDS = st.integers(0, 2)
MASKS = st.sampled_from(["r", "w", "rw"])
DELAYS = st.integers(0, 20)

Step = tuple[str, int, str | int]
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("send"), ENDS, st.just(0)),
    st.tuples(st.just("drain"), ENDS, st.just(0)),
    st.tuples(st.just("hang up"), ENDS, st.just(0)),
    st.tuples(st.just("listen"), ENDS, MASKS),
    st.tuples(st.just("unlisten"), ENDS, MASKS),
    st.tuples(st.just("timeout"), st.just(0), DELAYS),
    st.tuples(st.just("interval"), st.just(0), st.integers(1, 20)),
    st.tuples(st.just("clear"), st.integers(0, 3), st.just(0)),
    st.tuples(st.just("poll"), st.just(0), DELAYS),
)


def play(poller: str, history: list[Step]) -> list[tuple[float, list[str]]]:
    """The calls of each poll, with their times on the virtual clock.

    Sorted within a poll: in which order descriptors come is open.
    """
    clock = VirtualClock()
    loop = luahop.new(poller, clock)
    pairs = [socket.socketpair() for _ in range(3)]
    timers = []
    trace: list[tuple[float, list[str]]] = []
    called: list[str] = []
    try:
        for near, far in pairs:
            near.setblocking(False)
            far.setblocking(False)
        for number, (what, which, how) in enumerate(history):
            near, far = pairs[which % 3]
            callback = partial(called.append, f"{number} {what}")
            if what == "send" and far.fileno() >= 0:
                far.send(b"x")
            elif what == "drain":
                with suppress(BlockingIOError, ConnectionResetError):
                    near.recv(4096)
            elif what == "hang up":
                far.close()
            elif what == "listen":
                loop.set_listener(near, str(how), callback)
            elif what == "unlisten":
                loop.remove_listener(near, str(how))
            elif what == "timeout":
                timers.append(loop.set_timeout({"ms": int(how)}, callback))
            elif what == "interval":
                timers.append(loop.set_interval({"ms": int(how)}, callback))
            elif what == "clear" and timers:
                luahop.clear_timer(timers[which % len(timers)])
            elif what == "poll":
                loop.poll({"ms": int(how)})
                trace.append((clock.now(), sorted(called)))
                called.clear()
    finally:
        loop.close()
        for near, far in pairs:
            near.close()
            far.close()
    return trace


@settings(max_examples=300, deadline=None)
@given(history=st.lists(STEPS, max_size=30))
@example(history=[("listen", 0, "rw"), ("hang up", 0, 0), ("unlisten", 0, "r"), ("poll", 0, 0)])
@example(history=[("interval", 0, 1), ("listen", 0, "w"), ("poll", 0, 5), ("poll", 0, 5)])
def test_every_poller_tells_the_same_story(history: list[Step]) -> None:
    history = [*history, ("poll", 0, 5), ("poll", 0, 5)]
    stories = {poller: play(poller, history) for poller in available()}
    first = next(iter(stories.values()))
    assert all(story == first for story in stories.values()), stories
