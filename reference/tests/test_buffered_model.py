"""A buffered event and its model agree on every byte, whatever happens to both."""

from __future__ import annotations

import socket

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tideloop import READ, WRITE, BufferedEvent, ClosedError, Loop, VirtualClock
from tideloop.luaevent.flags import (
    EVBUFFER_EOF,
    EVBUFFER_READ,
)


def receive(far: socket.socket, size: int) -> bytes:
    """Exactly *size* bytes, or what there is."""
    got = b""
    while len(got) < size:
        try:
            data = far.recv(size - len(got))
        except BlockingIOError:
            break
        if not data:
            break
        got += data
    return got


bits = st.integers(1, 3)


marks = st.integers(0, 12)


class BufferedAgainstModel(RuleBasedStateMachine):
    """Every byte is numbered; what was sent must arrive in order, all of it, once."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = Loop(clock=VirtualClock())
        self.near, self.far = socket.socketpair()
        self.far.setblocking(False)
        self.near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        # what the peer sent, and how much of it the program took
        self.sent_in = b""
        self.taken = 0
        # what the program wrote, and how much of it the peer got
        self.written = b""
        self.got = 0
        self.low = self.high = self.write_low = 0
        self.enabled = 0
        self.ended = self.closed = False
        self.in_turn = False
        self.take_in_callback = 0
        self.write_in_callback = 0
        self.close_in_callback = False
        self.level = 0
        self.event = BufferedEvent(self.loop, self.near, self.on_read, self.on_write, self.on_error)

    @initialize(enable=st.integers(0, 3), low=marks, high=marks)
    def begin(self, enable: int, low: int, high: int) -> None:
        self.enable(enable)
        self.watermarks(low, high, low)

    # callbacks

    def on_read(self, event: BufferedEvent) -> None:
        assert self.in_turn
        assert not self.closed
        assert self.enabled & READ
        assert len(event.input) >= max(self.low, 1)
        assert len(event.input) > self.level
        self.do_take(self.take_in_callback)
        self.do_write(self.write_in_callback)
        if self.close_in_callback:
            self.close()

    def on_write(self, event: BufferedEvent) -> None:
        assert self.in_turn
        assert not self.closed
        assert self.enabled & WRITE
        assert len(event.output) <= self.write_low
        if self.close_in_callback:
            self.close()

    def on_error(self, event: BufferedEvent, what: int) -> None:
        assert self.in_turn
        assert not self.closed
        assert what == EVBUFFER_EOF | EVBUFFER_READ
        assert self.enabled & READ
        assert self.ended
        # everything came in before
        assert self.taken + len(event.input) == len(self.sent_in)
        self.enabled &= ~READ

    # what a program and its peer do

    def do_take(self, size: int) -> None:
        data = self.event.take(size)
        assert data == self.sent_in[self.taken : self.taken + len(data)]
        self.taken += len(data)
        self.level = len(self.event.input)

    def do_write(self, size: int) -> None:
        data = bytes((len(self.written) + index) % 251 for index in range(size))
        try:
            self.event.write(data)
        except ClosedError:
            assert self.closed
        else:
            assert not self.closed
            self.written += data

    @precondition(lambda self: not self.ended)
    @rule(size=st.integers(1, 30))
    def arrive(self, size: int) -> None:
        data = bytes((len(self.sent_in) + index) % 253 for index in range(size))
        self.sent_in += data[: self.far.send(data)]

    @precondition(lambda self: not self.ended)
    @rule()
    def end(self) -> None:
        self.far.shutdown(socket.SHUT_WR)
        self.ended = True

    @rule(size=st.integers(0, 40))
    def take(self, size: int) -> None:
        self.do_take(size)

    @rule(size=st.one_of(st.integers(0, 40), st.just(30_000)))
    def write(self, size: int) -> None:
        self.do_write(size)

    @rule(size=st.sampled_from([1, 10, 100_000]))
    def peer_reads(self, size: int) -> None:
        data = receive(self.far, size)
        assert data == self.written[self.got : self.got + len(data)]
        self.got += len(data)

    @rule(directions=bits)
    def enable(self, directions: int) -> None:
        if directions and not self.closed:
            self.event.enable(directions * READ)
            self.enabled |= directions * READ

    @precondition(lambda self: not self.closed)
    @rule(directions=bits)
    def disable(self, directions: int) -> None:
        self.event.disable(directions * READ)
        self.enabled &= ~(directions * READ)

    @rule(low=marks, high=marks, write_low=marks)
    def watermarks(self, low: int, high: int, write_low: int) -> None:
        if self.closed:
            return
        low = min(low, high) if high else low
        self.event.set_read_watermarks(low, high)
        self.event.set_write_watermarks(write_low, 0)
        self.low, self.high, self.write_low = low, high, write_low

    @rule(take=st.integers(0, 8), write=st.integers(0, 8))
    def callbacks_do(self, take: int, write: int) -> None:
        self.take_in_callback, self.write_in_callback = take, write

    @rule(count=st.integers(1, 3))
    def turn(self, count: int) -> None:
        for _ in range(count):
            self.level = len(self.event.input)
            self.in_turn = True
            self.loop.turn(0)
            self.in_turn = False

    @rule()
    def close_in_the_next_callback(self) -> None:
        self.close_in_callback = True

    @rule(sure=st.integers(0, 5))
    def close_now(self, sure: int) -> None:
        if not sure:
            self.close()

    def close(self) -> None:
        self.event.close()
        self.closed = True
        self.enabled = 0

    @invariant()
    def never_above_high(self) -> None:
        if self.high:
            assert len(self.event.input) <= max(self.high, self.level)
        self.level = len(self.event.input)

    @invariant()
    def watched_for_as_long_as_nothing_holds(self) -> None:
        want = 0
        if self.enabled & READ and not (self.high and len(self.event.input) >= self.high):
            want |= READ
        if self.enabled & WRITE and self.event.output:
            want |= WRITE
        assert self.event.want & READ == want & READ
        # one more, for the announcement
        assert self.event.want & want == want

    @invariant()
    def nothing_is_lost(self) -> None:
        inside = self.event.input.peek()
        assert inside == self.sent_in[self.taken : self.taken + len(inside)]
        waiting = self.event.output.peek()
        assert waiting == self.written[len(self.written) - len(waiting) :]

    def teardown(self) -> None:
        try:
            if not self.closed:
                self.close_in_callback = False
                self.take_in_callback = self.write_in_callback = 0
                self.event.set_read_watermarks(0, 0)
                self.low = self.high = 0
                self.enable(3)
                for _ in range(len(self.written) // 1000 + 50):
                    self.turn(1)
                    self.peer_reads(100_000)
                self.do_take(len(self.event.input))
                assert self.taken == len(self.sent_in)
                assert self.got == len(self.written)
                self.close()
            assert not self.loop.busy
            assert self.loop.registry.watching(self.near.fileno()) == ()
        finally:
            self.loop.close()
            self.near.close()
            self.far.close()


def test_a_buffered_event_and_its_model_agree() -> None:
    run_state_machine_as_test(
        BufferedAgainstModel,
        settings=settings(max_examples=60, stateful_step_count=40, deadline=None),
    )
