"""The poller contract: what is watched."""

from __future__ import annotations

import errno
import os
import pty
import tty
from contextlib import suppress
from pathlib import Path

import pytest

from looptck.protocols.poller import BOTH, NOTHING, READ, WRITE
from looptck.rules.markers import rule
from looptck.testing.channels import Channels, PipeEnd, drain
from looptck.testing.observation import Observation
from looptck.testing.poller_driver import PollerDriver, shown


@rule("poller.change.adds")
@pytest.mark.parametrize("old", [READ, WRITE, BOTH])
@pytest.mark.parametrize("new", [READ, WRITE, BOTH])
def test_a_change_holds_from_the_next_wait(
    driver: PollerDriver, channels: Channels, old: int, new: int
) -> None:
    near, far = channels.pair()
    far.send(b"x")
    driver.watch(near.fileno(), old)
    driver.until("the socket is told", lambda told: told == {near.fileno(): old})
    driver.watch(near.fileno(), new)
    for _ in range(3):
        driver.until("the socket is told anew", lambda told: told == {near.fileno(): new})


@rule("poller.change.adds")
@pytest.mark.parametrize("old", [WRITE, BOTH])
def test_a_direction_taken_away_wakes_nobody(
    driver: PollerDriver, channels: Channels, old: int
) -> None:
    """There is room, and nothing to read; an answer now and then may speak of it."""
    near, _far = channels.pair()
    driver.watch(near.fileno(), old)
    driver.until_told(near.fileno(), WRITE)
    driver.watch(near.fileno(), READ)
    answers = [driver.answer(0.002) for _ in range(20)]
    assert not all(near.fileno() in answer for answer in answers), (
        "a descriptor that is watched for reading alone woke 20 waits of 20 because it has room"
    )


@rule("poller.change.removal")
@pytest.mark.parametrize("directions", [READ, WRITE, BOTH])
@pytest.mark.parametrize("waited", [False, True], ids=["before a wait", "after a wait"])
def test_a_removed_descriptor_is_not_told(
    driver: PollerDriver, channels: Channels, directions: int, waited: bool
) -> None:
    near, far = channels.pair()
    far.send(b"x")
    driver.watch(near.fileno(), directions)
    if waited:
        driver.until_told(near.fileno(), directions)
    driver.forget(near.fileno())
    for _ in range(5):
        answer = driver.answer()
        assert not answer.get(near.fileno()), "a descriptor was told after it was removed"


@rule("poller.change.removal-never-raises")
def test_to_end_a_watch_raises_nothing(driver: PollerDriver, channels: Channels) -> None:
    closed, _ = channels.pair()
    reused, _ = channels.pair()
    other, peer = channels.pair()
    never, _ = channels.pair()
    for end in (closed, reused, other):
        driver.watch(end.fileno(), READ)
    number, again = closed.fileno(), reused.fileno()
    closed.close()
    reused.close()
    stranger, _ = channels.pair_at(again)
    for fd in (number, again, stranger.fileno(), never.fileno(), 9_999):
        driver.poller.change(fd, READ, NOTHING)
        driver.poller.change(fd, NOTHING, NOTHING)
        driver.watched.pop(fd, None)
    peer.send(b"x")
    driver.until_told(other.fileno(), READ)


@rule("poller.change.reuse")
@pytest.mark.parametrize("order", ["removed, closed", "closed, removed"])
@pytest.mark.parametrize("old", [READ, WRITE, BOTH])
def test_a_number_starts_anew(
    driver: PollerDriver, channels: Channels, order: str, old: int
) -> None:
    near, far = channels.pair()
    far.send(b"x")
    number = near.fileno()
    driver.watch(number, old)
    driver.until_told(number, old)
    if order == "removed, closed":
        driver.forget(number)
        near.close()
    else:
        near.close()
        driver.forget(number)
    fresh, peer = channels.pair_at(number)
    driver.watch(fresh.fileno(), READ)
    driver.assert_silent(fresh.fileno(), BOTH)
    peer.send(b"x")
    driver.until("the new file is told", lambda told: told == {fresh.fileno(): READ})


@rule("poller.change.closed")
@pytest.mark.parametrize("new", [WRITE, BOTH])
def test_a_stranger_under_the_number_is_no_old_one(
    driver: PollerDriver, channels: Channels, new: int
) -> None:
    near, far = channels.pair()
    far.send(b"x")
    number = near.fileno()
    driver.watch(number, READ)
    driver.until_told(number, READ)
    near.close()
    fresh, peer = channels.pair_at(number)
    if fresh.fileno() != number:
        os.dup2(fresh.fileno(), number)
        channels.keep(lambda: os.close(number))
    with suppress(FileNotFoundError):
        driver.watch(number, new)
        driver.until_told(number, WRITE)
        peer.send(b"x")
        driver.until_told(number, new)
        drain(fresh)
    driver.poller.change(number, new, NOTHING)
    driver.watched.pop(number, None)
    driver.watch(number, READ)
    driver.assert_silent(number, READ)
    peer.send(b"x")
    driver.until("the new file is told", lambda told: told == {number: READ})


@rule("poller.change.invalid")
@pytest.mark.parametrize("number", [-1, 9_999, 2**31 - 1, 2**31, 2**40])
@pytest.mark.parametrize("directions", [READ, BOTH])
def test_a_number_of_no_file_is_refused(
    driver: PollerDriver, channels: Channels, number: int, directions: int
) -> None:
    near, far = channels.pair()
    driver.watch(near.fileno(), READ)
    with pytest.raises((OSError, ValueError)):
        driver.poller.change(number, NOTHING, directions)
    far.send(b"x")
    told = driver.until("another descriptor is told", lambda told: near.fileno() in told)
    assert told == {near.fileno(): READ}, f"after a refused number, told were {told}"


@rule("poller.change.closed")
@pytest.mark.parametrize("new", [WRITE, BOTH])
def test_a_closed_number_is_not_changed(driver: PollerDriver, channels: Channels, new: int) -> None:
    """It was watched when it was closed; another one is watched as before."""
    near, far = channels.pair()
    closed, _ = channels.pair()
    number = closed.fileno()
    driver.watch(near.fileno(), READ)
    driver.watch(number, READ)
    closed.close()
    with pytest.raises(OSError, match=""):
        driver.poller.change(number, READ, new)
    driver.forget(number)
    far.send(b"x")
    told = driver.until("another descriptor is told", lambda told: told)
    assert told == {near.fileno(): READ}, f"a closed number was told: {told}"


@rule("poller.change.error-named")
@pytest.mark.parametrize("kind", ["closed", "file", "folder"])
def test_an_error_has_a_number_and_a_text(
    driver: PollerDriver, channels: Channels, kind: str
) -> None:
    path = Path(__file__).parent if kind == "folder" else Path(__file__)
    number = os.open(path, os.O_RDONLY)
    if kind == "closed":
        os.close(number)
    else:
        channels.keep(lambda: os.close(number))
    with pytest.raises(OSError, match=r"^\[Errno \d+\] \w+") as caught:
        driver.poller.change(number, NOTHING, READ)
    named = errno.errorcode.get(caught.value.errno or 0, "no number of the system")
    assert kind != "closed" or named == "EBADF", f"a closed number was refused with {named}"


@rule("poller.change.regular-file")
@pytest.mark.parametrize("directions", [READ, WRITE, BOTH])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_file_is_refused(
    driver: PollerDriver, channels: Channels, directions: int, kind: str
) -> None:
    number = os.open(__file__ if kind == "file" else Path(__file__).parent, os.O_RDONLY)
    channels.keep(lambda: os.close(number))
    with pytest.raises(OSError, match=""):
        driver.poller.change(number, NOTHING, directions)
    assert number not in driver.answer(), "a refused file was told"


@rule("poller.change.device")
def test_what_becomes_of_a_device(
    driver: PollerDriver, channels: Channels, observe: Observation
) -> None:
    number = os.open(os.devnull, os.O_RDWR)
    channels.keep(lambda: os.close(number))
    try:
        driver.watch(number, BOTH)
    except OSError as error:
        observe(f"refused: {error.strerror}")
    else:
        observe("told" if driver.told() else "taken and not told")


@rule("poller.change.terminal")
def test_a_terminal_is_told(driver: PollerDriver, channels: Channels) -> None:
    outside, inside = pty.openpty()
    tty.setraw(inside)
    os.set_blocking(inside, False)
    outer, inner = PipeEnd(outside), PipeEnd(inside)
    channels.keep(outer.close)
    channels.keep(inner.close)
    driver.watch(inside, BOTH)
    driver.until("the terminal is told for writing", lambda told: told == {inside: WRITE})
    os.write(outside, b"x")
    driver.until_told(inside, BOTH)
    os.read(inside, 8)
    driver.assert_silent(inside, READ)
    outer.close()
    driver.until_told(inside, READ)


@rule("poller.change.duplicate")
@pytest.mark.parametrize("end", ["removed", "changed", "closed"])
@pytest.mark.parametrize("which", ["first", "second"])
def test_a_duplicate_is_watched_apart(
    driver: PollerDriver, channels: Channels, end: str, which: str
) -> None:
    near, far = channels.pair()
    far.send(b"x")
    twin = channels.numbered(near, 0)
    driver.watch(near.fileno(), READ)
    driver.watch(twin.fileno(), READ)
    driver.until_all_told({near.fileno(): READ, twin.fileno(): READ})
    ended, other = (near, twin) if which == "first" else (twin, near)
    if end == "removed":
        driver.forget(ended.fileno())
    elif end == "changed":
        driver.watch(ended.fileno(), WRITE)
    else:
        driver.watched.pop(ended.fileno())
        ended.close()
    for _ in range(3):
        driver.until_told(other.fileno(), READ)


@rule("poller.change.while-told")
def test_changes_hold_in_the_next_answer(driver: PollerDriver, channels: Channels) -> None:
    """Of four that are ready one is removed, one closed, one narrowed; a fifth joins."""
    made = [channels.pair() for _ in range(5)]
    for _, far in made:
        far.send(b"x")
    removed, closed, narrowed, kept, added = (near for near, _ in made)
    for end in (removed, closed, narrowed, kept):
        driver.watch(end.fileno(), BOTH)
    driver.until_all_told({end.fileno(): BOTH for end in (removed, closed, narrowed, kept)})
    driver.forget(removed.fileno())
    driver.forget(closed.fileno())
    closed.close()
    driver.watch(narrowed.fileno(), WRITE)
    driver.watch(added.fileno(), READ)
    expected = {narrowed.fileno(): WRITE, kept.fileno(): BOTH, added.fileno(): READ}
    for _ in range(3):
        driver.until_all_told(expected)


@rule("poller.change.while-told")
@pytest.mark.parametrize("number", [2, 8, 300])
def test_numbers_used_again_after_an_answer_are_silent(
    driver: PollerDriver, channels: Channels, number: int
) -> None:
    """The files were ready when the answer came; those that have the numbers now are not."""
    made = [channels.pair() for _ in range(number)]
    for near, far in made:
        far.send(b"x")
        driver.watch(near.fileno(), READ)
    driver.until("one that is ready is told", len)
    for near, _ in made:
        driver.forget(near.fileno())
        silent, _ = channels.pair()
        os.dup2(silent.fileno(), near.fileno())
        driver.watch(near.fileno(), READ)
    for _ in range(5):
        told = driver.told(0.001)
        assert not told, f"told were {shown(told)}, whose files are not ready"
