"""levent, buffered events: lines do not depend on how bytes arrive, or on other reads."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from looptck.protocols.levent import Levent
from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver

_FEW = settings(
    max_examples=30,
    derandomize=True,
    database=None,
    deadline=None,
    # each example has a base and a file of its own, and stops what it made
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

# No carriage returns: what they mean is open.
_TEXTS = st.lists(
    st.sampled_from([b"\n", b"\n", b"a", b"bc", b"\0", b"\xff", b"a piece that is longer"]),
    max_size=16,
).map(b"".join)

_CUTS = st.lists(st.integers(0, 40), max_size=5)


def _pieces(text: bytes, cuts: list[int]) -> list[bytes]:
    """Cut *text* at these positions; return the pieces that are not empty."""
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return [text[begin:end] for begin, end in pairwise(places) if begin < end]


@rule("levent.bufevent.readline")
@_FEW
@given(text=_TEXTS, cuts=_CUTS, asked=st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_any_split_of_the_input_gives_the_same_lines(
    levent: Levent, channels: Channels, text: bytes, cuts: list[int], asked: list[int]
) -> None:
    """Between two pieces readline is called, never, for some lines or more often than there are
    any."""
    driver = LeventDriver(levent)
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    lines: list[bytes] = []
    pieces = _pieces(text, cuts)
    for piece, times in zip(pieces, asked, strict=False):
        receiver.send_bytes(piece)
        receiver.run_until_received()
        lines += [line for _ in range(times) if (line := receiver.evbuf.readline()) is not None]
    while len(lines) <= len(text) and (line := receiver.evbuf.readline()) is not None:
        lines.append(line)
    lines.append(receiver.take())
    driver.stop_all()
    assert lines == text.split(b"\n"), f"the input came in the pieces {pieces}"


@rule("levent.bufevent.readline")
@_FEW
@given(
    text=_TEXTS,
    cuts=_CUTS,
    sizes=st.lists(st.none() | st.integers(0, 5), min_size=12, max_size=12),
)
def test_lines_and_bytes_may_be_read_in_turns(
    levent: Levent, channels: Channels, text: bytes, cuts: list[int], sizes: list[int | None]
) -> None:
    """Each read removes bytes for the others; a size of None stands for readline."""
    driver = LeventDriver(levent)
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    there = b""
    waiting = list(sizes)
    for piece in _pieces(text, cuts):
        receiver.send_bytes(piece)
        receiver.run_until_received()
        there += piece
        for size in (waiting.pop(), waiting.pop()):
            there = _read(receiver, size, there)
    assert receiver.take() == there
    driver.stop_all()


def _read(receiver: ReceivingBuffer, size: int | None, there: bytes) -> bytes:
    """Read *size* bytes, or a line, of *there*; return the bytes that are left."""
    if size is not None:
        assert receiver.take(size) == there[:size], f"read({size}) with {there!r} in the input"
        return there[size:]
    line, found, rest = there.partition(b"\n")
    expected = line if found else None
    assert receiver.evbuf.readline() == expected, f"readline() with {there!r} in the input"
    return rest if found else there
