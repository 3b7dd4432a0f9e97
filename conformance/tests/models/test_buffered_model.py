"""The model of a buffered event allows and refuses the right calls; no loop takes part."""

from __future__ import annotations

import pytest

from looptck.models.buffered.model import BufferedModel, Seen
from looptck.models.buffered.rules import Callback
from looptck.models.engine.violation import ViolationError
from looptck.models.levent.live_buffer import RULES


class Told:
    """A model, with a file that is kept in numbers."""

    def __init__(self) -> None:
        self.model = BufferedModel("A", RULES)
        self.switch_off("it was never started", "levent.bufevent.start")
        self.moved = self.left = 0
        self.takes = True

    @property
    def seen(self) -> Seen:
        return Seen(self.moved, self.left, self.takes)

    def start(self, low: int = 0, high: int = 0) -> Told:
        self.model.mark_input(low, high, self.seen)
        for side in (self.model.input, self.model.output):
            self.model.switch_on(side, self.seen)
        return self

    def stop(self) -> None:
        self.switch_off("it is stopped", "levent.bufevent.stop")

    def switch_off(self, why: str, rule: str) -> None:
        for side in (self.model.input, self.model.output):
            side.switch_off(why, rule)

    def arrives(self, data: bytes) -> None:
        """The peer sends *data*, and the loop moves it."""
        self.model.peer_sent(data)
        self.moved += len(data)
        self.model.look(self.seen)

    def called(self, callback: Callback) -> None:
        self.model.called(callback, self.seen)
        self.model.finished(callback, self.seen)

    def read(self, size: int | None, data: bytes) -> None:
        self.model.read(size, data, self.seen, self.seen)

    def readline(self, line: bytes | None) -> None:
        self.model.readline(line, self.seen, self.seen)

    def leaves(self, count: int) -> None:
        self.left += count
        self.model.look(self.seen)

    def missing_call(self) -> str:
        """The rule that is broken if nothing comes any more."""
        missing = self.model.missing_call(self.seen)
        return missing.rule if missing else ""

    def is_fresh_no_more(self) -> Told:
        """The one call of writecb that is free is made."""
        self.model.write(b"x", None)
        self.model.begin_turn(self.seen)
        self.called(Callback.WRITE)
        self.leaves(1)
        self.called(Callback.WRITE)
        self.model.begin_turn(self.seen)
        return self


@pytest.fixture
def told() -> Told:
    return Told()


def refuses(rule: str) -> pytest.RaisesExc[ViolationError]:
    return pytest.RaisesExc(ViolationError, check=lambda error: error.rule == rule)


# ---- the input


def test_readcb_needs_the_low_watermark_and_no_more(told: Told) -> None:
    told.start(low=3)
    told.arrives(b"ab")
    with refuses("levent.buffer.read-lowwater"):
        told.called(Callback.READ)
    told.arrives(b"c")
    assert told.missing_call() == "levent.buffer.read-lowwater"
    told.called(Callback.READ)
    assert not told.missing_call()


def test_an_arrival_may_come_in_pieces_with_one_call_or_many(told: Told) -> None:
    told.start()
    told.model.peer_sent(b"abcd")
    for _ in range(2):
        told.moved += 1
        told.called(Callback.READ)
        assert told.missing_call()
    told.moved += 2
    told.called(Callback.READ)
    assert not told.missing_call()


def test_a_call_may_be_repeated_for_bytes_that_lie_there(told: Told) -> None:
    told.start(low=2)
    told.arrives(b"ab")
    for _ in range(3):
        told.called(Callback.READ)
    told.read(1, b"a")
    told.model.begin_turn(told.seen)
    with refuses("levent.buffer.read-lowwater"):
        told.called(Callback.READ)


def test_a_call_may_come_after_another_callback_took_the_bytes(told: Told) -> None:
    told.start(low=2)
    told.arrives(b"ab")
    told.read(None, b"ab")
    told.called(Callback.READ)
    with refuses("levent.buffer.read-lowwater"):
        told.called(Callback.READ)


def test_new_watermarks_or_a_restart_are_no_reason_to_call(told: Told) -> None:
    told.start(low=5)
    told.arrives(b"abc")
    told.model.mark_input(2, 0, told.seen)
    assert not told.missing_call()
    told.called(Callback.READ)
    told.stop()
    told.start(low=2)
    assert not told.missing_call()
    told.arrives(b"d")
    assert told.missing_call()


@pytest.mark.parametrize("data", [b"b", b"aa", b"abc", b"ba"])
def test_bytes_come_in_order_and_once(told: Told, data: bytes) -> None:
    told.start()
    told.arrives(b"ab")
    with refuses("levent.newevbuf.data-before-eof"):
        told.read(None, data)


@pytest.mark.parametrize(
    "size, data, rule",
    [
        (1, b"ab", "levent.bufevent.read-size"),
        (2, b"a", "levent.bufevent.read-size"),
        (None, b"ab", "levent.bufevent.read-all"),
    ],
)
def test_a_read_gives_as_much_as_was_asked_for(
    told: Told, size: int | None, data: bytes, rule: str
) -> None:
    told.start(low=3)
    told.arrives(b"abc")
    told.called(Callback.READ)
    with refuses(rule):
        told.read(size, data)


def test_what_a_call_did_not_promise_may_still_be_on_its_way(told: Told) -> None:
    """The file does not show what is in the buffer and what is held somewhere before it."""
    told.start(low=1)
    told.arrives(b"abc")
    told.called(Callback.READ)
    told.read(None, b"a")
    told.read(None, b"bc")


def test_a_read_does_not_touch_the_file(told: Told) -> None:
    told.start()
    told.model.peer_sent(b"a")
    after = Seen(moved=1, left=0, takes=True)
    with refuses("levent.bufevent.read-buffer-only"):
        told.model.read(1, b"a", told.seen, after)


def test_lines(told: Told) -> None:
    told.start(low=1)
    told.arrives(b"a\nb")
    with refuses("levent.bufevent.readline"):
        told.readline(b"a\n")
    told.readline(b"a")
    with refuses("levent.bufevent.readline-none"):
        told.readline(b"b")
    told.readline(None)
    with refuses("levent.bufevent.readline-none"):  # it was removed
        told.read(None, b"x")
    told.read(None, b"b")


def test_a_line_that_is_there_for_certain_is_returned(told: Told) -> None:
    told.start(low=2)
    told.arrives(b"a\n")
    told.called(Callback.READ)
    with refuses("levent.bufevent.readline"):
        told.readline(None)


# ---- the high watermark


def test_there_is_never_more_than_the_high_watermark(told: Told) -> None:
    told.start(low=1, high=2)
    told.model.peer_sent(b"abc")
    told.moved = 3  # wherever the third one is, it is not in the buffer
    told.called(Callback.READ)
    with refuses("levent.buffer.read-highwater"):
        told.read(None, b"abc")
    told.read(None, b"ab")


def test_who_was_full_reads_again_when_all_was_taken(told: Told) -> None:
    """After a part was taken a loop may, and need not."""
    told.start(low=1, high=2)
    told.model.peer_sent(b"abcd")
    told.moved = 2
    told.called(Callback.READ)
    told.read(1, b"a")
    assert not told.missing_call()
    told.read(1, b"b")
    assert told.missing_call() == "levent.buffer.read-lowwater"


def test_a_high_watermark_below_the_low_one_is_a_standstill(told: Told) -> None:
    told.start(low=3, high=2)
    told.model.peer_sent(b"abcd")
    told.moved = 2
    assert not told.missing_call()


# ---- the end


def test_the_end_comes_after_the_data_and_its_call(told: Told) -> None:
    told.start()
    told.model.peer_sent(b"ab")
    told.model.peer_ended()
    with refuses("levent.newevbuf.data-before-eof"):
        told.called(Callback.ERROR)
    told.moved = 2
    with refuses("levent.newevbuf.data-before-eof"):
        told.called(Callback.ERROR)
    told.called(Callback.READ)
    told.called(Callback.ERROR)
    with refuses("levent.bufevent.read-all"):
        told.read(None, b"a")


def test_at_the_end_readcb_may_be_called_below_the_low_watermark(told: Told) -> None:
    told.start(low=3)
    told.arrives(b"ab")
    with refuses("levent.buffer.read-lowwater"):
        told.called(Callback.READ)
    told.model.peer_ended()
    told.called(Callback.READ)
    told.called(Callback.ERROR)


def test_at_the_end_readcb_is_not_called_for_nothing(told: Told) -> None:
    told.start(low=3)
    told.model.peer_ended()
    with refuses("levent.buffer.read-lowwater"):
        told.called(Callback.READ)


def test_what_a_reset_leaves_is_open(told: Told) -> None:
    told.start()
    told.model.write(b"ab", None)
    told.leaves(2)
    told.model.peer_sent(b"cd")
    told.model.peer_closed()
    assert not told.missing_call()
    told.called(Callback.ERROR)


# ---- the output


def test_writecb_is_called_below_the_low_watermark(told: Told) -> None:
    told.start().is_fresh_no_more()
    told.model.mark_output(2, told.seen)
    told.model.write(b"abcd", None)
    told.takes = False
    told.leaves(1)
    assert not told.missing_call()
    told.model.begin_turn(told.seen)
    with refuses("levent.buffer.write-lowwater"):
        told.called(Callback.WRITE)
    told.leaves(1)
    assert not told.missing_call()
    told.called(Callback.WRITE)
    told.leaves(1)
    assert told.missing_call() == "levent.buffer.write-lowwater"


def test_without_a_low_watermark_an_empty_output_is_told(told: Told) -> None:
    told.start()
    told.model.write(b"ab", None)
    assert told.missing_call() == "levent.bufevent.write"
    told.takes = False
    told.leaves(1)
    assert not told.missing_call()
    told.leaves(1)
    assert told.missing_call() == "levent.buffer.write-lowwater"


def test_what_writecb_writes_leaves_too(told: Told) -> None:
    told.start()
    told.model.called(Callback.WRITE, told.seen)
    told.model.write(b"a", Callback.WRITE)
    told.model.finished(Callback.WRITE, told.seen)
    assert told.missing_call() == "levent.buffer.write-more-in-cb"


@pytest.mark.parametrize("data", [b"b", b"aa", b"abc"])
def test_bytes_leave_in_order_and_once(told: Told, data: bytes) -> None:
    told.start()
    told.model.write(b"ab", None)
    with refuses("levent.bufevent.write"):
        told.leaves(3)
    with refuses("levent.bufevent.write"):
        told.model.peer_received(data)


# ---- start and stop


@pytest.mark.parametrize("callback", Callback)
def test_nothing_happens_before_the_start_nor_after_a_stop(told: Told, callback: Callback) -> None:
    with refuses("levent.bufevent.start"):
        told.called(callback)
    told.start()
    told.stop()
    with refuses("levent.bufevent.stop"):
        told.called(callback)
    told.model.peer_sent(b"a")
    told.moved += 1
    with refuses("levent.bufevent.stop"):
        told.model.look(told.seen)


def test_nothing_leaves_after_a_stop(told: Told) -> None:
    told.start()
    told.model.write(b"a", None)
    told.stop()
    assert not told.missing_call()
    with refuses("levent.bufevent.stop"):
        told.leaves(1)


def test_what_was_there_at_a_stop_is_still_there(told: Told) -> None:
    told.start()
    told.arrives(b"ab")
    told.stop()
    with refuses("levent.bufevent.stop"):
        told.read(None, b"b")


def test_what_may_happen_is_told(told: Told) -> None:
    assert told.model.may_happen() == []
    told.start(low=1)
    assert told.model.may_happen() == ["writecb of A called"]
    told.arrives(b"ab")
    told.model.peer_ended()
    assert told.model.may_happen() == [
        "readcb of A called, with up to 2 bytes",
        "writecb of A called",
        "errorcb of A called, after all data",
    ]
