"""levent, buffered events: what deleting does, and what an exception does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from looptck.profiles.levent import EvBuf, Levent
from looptck.rules.markers import rule
from looptck.testing.buffer_channels import ReceivingBuffer, SendingBuffer, receive
from looptck.testing.channels import Channels
from looptck.testing.levent_driver import LeventDriver
from looptck.testing.observation import Observation


@rule("levent.bufevent.delete")
@pytest.mark.parametrize("where", ["readcb", "writecb", "errorcb"])
def test_calls_after_a_delete_in_a_callback(
    rounds: LeventDriver, channels: Channels, observe: Observation, where: str
) -> None:
    """Data, the end of the file and room come at once."""
    called: list[str] = []

    def act(name: str) -> None:
        called.append(name)
        if armed and name == where:
            try:
                inlet.evbuf.delete()
            except Exception as error:  # a loop may refuse in any way
                observe.raised(error, of=f"delete in {where}")
            called.append("delete")

    armed = False
    inlet = ReceivingBuffer(
        rounds,
        channels.pair(),
        lambda *_: act("readcb"),
        lambda *_: act("writecb"),
        lambda *_: act("errorcb"),
    )
    inlet.evbuf.start()
    rounds.quiet()
    armed = True
    inlet.send(10)
    inlet.evbuf.write(b"output")
    rounds.once()
    inlet.far.close()
    rounds.quiet()
    if "delete" not in called:
        said = "it is not called"
    else:
        after = set(called[called.index("delete") + 1 :]) - {"delete"}
        said = f"{', '.join(sorted(after))} called after it" if after else "nothing is called"
    observe(said, of=f"deleted in {where}")


@rule("levent.bufevent.delete")
def test_a_delete_by_another_one(
    rounds: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """Data is there for both; whoever is called first deletes the other."""
    called: list[int] = []

    def act(at: int) -> None:
        if not called:
            inlets[1 - at].evbuf.delete()
        called.append(at)

    inlets = [
        ReceivingBuffer(rounds, channels.pair(), lambda *_, at=at: act(at), name=str(at))
        for at in range(2)
    ]
    for inlet in inlets:
        inlet.evbuf.start()
        inlet.send(10)
    try:
        rounds.quiet()
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of="deleted by another one")
        return
    observe("called" if len(set(called)) > 1 else "not called", of="deleted by another one")


@rule("levent.bufevent.delete")
def test_output_that_waits_when_it_is_deleted(
    rounds: LeventDriver, channels: Channels, observe: Observation
) -> None:
    """The peer takes what was before it, and sees what comes."""
    outlet = SendingBuffer(rounds, channels)
    outlet.start()
    outlet.stuff()
    outlet.write(100)
    rounds.quiet()
    try:
        outlet.evbuf.delete()
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of="delete")
        return
    for _ in range(4):
        outlet.drain()
        rounds.quiet(10)
    observe("leaves" if outlet.received else "is dropped", of="output that waits")
    observe("open" if _is_open(outlet) else "closed", of="the file afterwards")


def _is_open(outlet: SendingBuffer) -> bool:
    try:
        outlet.near.send(b"x")
    except OSError:
        return False
    return bool(receive(outlet.far, 10))


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
def test_use_after_a_delete(
    rounds: LeventDriver, channels: Channels, observe: Observation, use: str
) -> None:
    """Its input holds ten bytes when it is deleted."""
    inlet = ReceivingBuffer(rounds, channels.pair())
    inlet.evbuf.start()
    inlet.send(10)
    inlet.arrive()
    try:
        inlet.evbuf.delete()
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of="delete")
        return
    try:
        USES[use](inlet.evbuf)
        rounds.quiet(5)
    except Exception as error:  # a loop may refuse in any way
        observe.raised(error, of=f"{use} after delete")
    else:
        observe("accepted", of=f"{use} after delete")


@rule("levent.bufevent.error-in-callback")
@pytest.mark.parametrize("where", ["readcb", "writecb", "errorcb"])
def test_an_exception_in_a_callback(
    levent: Levent, channels: Channels, observe: Observation, where: str
) -> None:
    """It is raised once; data comes again afterwards."""
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
