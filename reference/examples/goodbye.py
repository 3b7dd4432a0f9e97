"""An exception that does not end the loop, and a connection that closes when all is sent."""

import socket
from collections.abc import Callable

from tideloop import BufferedEvent, Loop

near, far = socket.socketpair()


def failed(error: Exception, callback: Callable[..., object]) -> None:
    print("failed:", error)


with Loop(on_error=failed) as loop:

    def received(event: BufferedEvent) -> None:
        event.write(bytes(int(event.take())))
        # Ten seconds for a peer that does not read; then it is closed all the same.
        event.close_when_sent(limit=10, then=lambda event: near.close())

    def ended(event: BufferedEvent, what: int) -> None:
        print("the end, after", len(event.take()), "bytes")
        event.close()
        far.close()

    BufferedEvent(loop, near, received).enable()
    asking = BufferedEvent(loop, far, None, None, ended)
    asking.enable()
    asking.write(b"how many?")
    loop.after(0.1, asking.write, b"1000000")
    loop.run()
