"""The output is below its low mark, and the protocol is not told to go on writing.

    python writing_resumes_after_a_whole_write.py uvloop

One write is larger than what the socket takes.  The peer reads a little at a
time, until less than the mark is left of it, and then no more.
"""

import asyncio
import contextlib
import importlib
import socket
import sys

LOW, SIZE = 50_000, 200_000

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "uvloop")
loop = module.new_event_loop()
near, far = socket.socketpair()
near.setblocking(False)
far.setblocking(False)
near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)


class Writer(asyncio.Protocol):
    paused = False

    def pause_writing(self):
        self.paused = True

    def resume_writing(self):
        self.paused = False


async def main():
    transport, writer = await loop.create_connection(Writer, sock=near)
    transport.set_write_buffer_limits(high=LOW, low=LOW)
    transport.write(bytes(SIZE))
    assert writer.paused
    while transport.get_write_buffer_size() > LOW:
        with contextlib.suppress(BlockingIOError):
            far.recv(1000)
        await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
    return writer.paused, transport.get_write_buffer_size()


paused, left = loop.run_until_complete(main())
if not paused:
    sys.exit(f"not reproduced: with {left} bytes left, writing was resumed")
print(f"{left} bytes are left, the low mark is {LOW}, and writing is still paused")
