"""levent, buffered events: the effects of a delete and of an exception are observed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from looptck.protocols.levent import EvBuf, Levent
from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer, SendingBuffer, receive
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation


@rule("levent.bufevent.delete")
@pytest.mark.parametrize("where", ["readcb", "writecb", "errorcb"])
def test_calls_after_a_delete_in_a_callback_are_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, where: str
) -> None:
    """Data, the end of the file and room come at once."""
    called: list[str] = []

    def act(name: str) -> None:
        called.append(name)
        if armed and name == where:
            try:
                receiver.evbuf.delete()
            except Exception as error:  # a loop may refuse in any way
                observe.raised(error, of=f"delete in {where}")
            called.append("delete")

    armed = False
    receiver = ReceivingBuffer(
        driver,
        channels.pair(),
        lambda *_: act("readcb"),
        lambda *_: act("writecb"),
        lambda *_: act("errorcb"),
    )
    receiver.evbuf.start()
    driver.run_idle()
    armed = True
    receiver.send(10)
    receiver.evbuf.write(b"output")
    driver.run_once()
    receiver.far.close()
    driver.run_idle()
    if "delete" not in called:
        said = "it is not called"
    else:
        after = set(called[called.index("delete") + 1 :]) - {"delete"}
        said = f"{', '.join(sorted(after))} called after it" if after else "nothing is called"
    observe(said, of=f"deleted in {where}")


@rule("levent.bufevent.delete")
def test_a_delete_by_another_buffered_event_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """Data is there for both; the one that is called first deletes the other."""
    called: list[int] = []

    def act(at: int) -> None:
        if not called:
            receivers[1 - at].evbuf.delete()
        called.append(at)

    receivers = [
        ReceivingBuffer(driver, channels.pair(), lambda *_, at=at: act(at), name=str(at))
        for at in range(2)
    ]
    for receiver in receivers:
        receiver.evbuf.start()
        receiver.send(10)
    try:
        driver.run_idle()
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of="deleted by another one")
        return
    observe("called" if len(set(called)) > 1 else "not called", of="deleted by another one")


@rule("levent.bufevent.delete")
def test_output_that_waits_at_the_delete_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """The peer takes earlier bytes and then sees whether the waiting output comes."""
    sender = SendingBuffer(driver, channels)
    sender.start()
    sender.fill()
    sender.write(100)
    driver.run_idle()
    try:
        sender.evbuf.delete()
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of="delete")
        return
    for _ in range(4):
        sender.drain()
        driver.run_idle(10)
    observe("leaves" if sender.received else "is dropped", of="output that waits")
    observe("open" if _is_open(sender) else "closed", of="the file afterwards")


def _is_open(sender: SendingBuffer) -> bool:
    try:
        sender.near.send(b"x")
    except OSError:
        return False
    return bool(receive(sender.far, 10))


USES: dict[str, Callable[[EvBuf], object]] = {
    "start": lambda evbuf: evbuf.start(),
    "stop": lambda evbuf: evbuf.stop(),
    "read": lambda evbuf: evbuf.read(),
    "readline": lambda evbuf: evbuf.readline(),
    "write": lambda evbuf: evbuf.write(b"x"),
    "set_read_watermarks": lambda evbuf: evbuf.set_read_watermarks(1, 0),
    "set_write_watermarks": lambda evbuf: evbuf.set_write_watermarks(1, 0),
    "delete": lambda evbuf: evbuf.delete(),
}


@rule("levent.bufevent.delete")
@pytest.mark.parametrize("use", USES)
def test_the_use_of_a_deleted_buffered_event_is_recorded(
    driver: LeventDriver, channels: Channels, observe: Observation, use: str
) -> None:
    """The input holds ten bytes at the delete."""
    receiver = ReceivingBuffer(driver, channels.pair())
    receiver.evbuf.start()
    receiver.send(10)
    receiver.run_until_received()
    try:
        receiver.evbuf.delete()
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of="delete")
        return
    try:
        USES[use](receiver.evbuf)
        driver.run_idle(5)
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of=f"{use} after delete")
    else:
        observe("accepted", of=f"{use} after delete")


@rule("levent.bufevent.error-in-callback")
@pytest.mark.parametrize("where", ["readcb", "writecb", "errorcb"])
def test_an_exception_in_a_callback_is_recorded(
    levent: Levent, channels: Channels, observe: Observation, where: str
) -> None:
    """The callback raises once; data comes again afterwards."""
    calls: list[str] = []

    def raising(name: str) -> Callable[..., None]:
        def callback(*_arguments: object) -> None:
            calls.append(name)
            if armed and name == where and "raised" not in calls:
                calls.append("raised")
                raise ZeroDivisionError(name)

        return callback

    armed = False
    near, far = channels.pair()
    base = levent.newbase()
    evbuf = base.newevbuf(near.fileno(), *map(raising, ("readcb", "writecb", "errorcb")))
    evbuf.start()
    for _ in range(10):
        base.loop(0)
    armed = True
    far.send(b"data")
    evbuf.write(b"data")
    if where == "errorcb":
        far.close()
    came = ""
    for _ in range(20):
        try:
            base.loop(0)
        except Exception as error:  # how it comes out is what is asked
            came = type(error).__name__
    if "raised" not in calls:
        observe("it is not called", of=where)
        return
    observe(f"loop raises {came}" if came else "loop raises nothing", of=where)
    if where == "errorcb":
        return
    before = len(calls)
    far.send(b"more")
    for _ in range(20):
        try:
            base.loop(0)
        except Exception as error:  # nothing raises any more
            observe.raised(error, of=f"{where}, and then data")
            return
    served = "readcb" in calls[before:]
    observe("served" if served else "not served", of=f"{where}, and then data")
    evbuf.stop()
