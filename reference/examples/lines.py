"""A buffered event: lines of any length, in an input of sixteen bytes at most."""

import socket

import tideloop
from tideloop import BufferedEvent

near, far = socket.socketpair()

with tideloop.Loop() as loop:

    def received(event: BufferedEvent) -> None:
        while (line := event.take_line()) is not None:
            print("line", line.decode())
            event.write(b"got it\n")

    def ended(event: BufferedEvent, what: int) -> None:
        print("the end;", event.take().decode() or "nothing", "was left")
        event.close()

    event = BufferedEvent(loop, near, received, None, ended)
    event.set_read_watermarks(1, 16)
    event.enable()
    far.sendall(b"first\nsecond\r\nthe third\nand a half")
    far.shutdown(socket.SHUT_WR)
    loop.run()

print(far.recv(100))
