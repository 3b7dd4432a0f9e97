"""Descriptors, timers, other threads: what a loop does, in one minute."""

import socket
import threading

import tideloop

near, far = socket.socketpair()

with tideloop.Loop() as loop:

    def received(ready: int) -> None:
        print("received", near.recv(4096).decode())

    loop.watch(near, tideloop.READ, received)
    loop.every(0.1, print, "tick")
    loop.after(0.25, far.send, b"hello")
    loop.after(0.35, loop.stop)
    threading.Thread(target=loop.post, args=(print, "from another thread")).start()
    loop.run()
