"""luaevent: a reader with an idle timeout that grows, then gives up."""

import socket

from tideloop import luaevent
from tideloop.luaevent import EV_READ, EV_TIMEOUT, LEAVE, Answer

near, far = socket.socketpair()
base = luaevent.new()
timeouts = iter([0.1, 0.2])


def received(flags: int) -> Answer:
    if not flags & EV_TIMEOUT:
        print("received", near.recv(4096).decode())
        return EV_READ
    longer = next(timeouts, None)
    if longer is None:
        print("giving up")
        return LEAVE
    print("nothing; waiting", longer)
    return EV_READ, longer


far.send(b"hello")
event = base.addevent(near, EV_READ, received, 0.05)  # keep it: a dropped event is erased
base.loop()
