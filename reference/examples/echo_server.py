"""Sends back whatever a client sends, to any number of clients at once.

python echo_server.py [PORT]
"""

import socket
import sys
from contextlib import suppress

from tideloop import READ, WRITE, Loop


class Connection:
    def __init__(self, loop: Loop, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._unsent = bytearray()
        self._ended = False
        self._watcher = loop.watch(connection, READ, self._ready)

    def _ready(self, ready: int) -> None:
        try:
            with suppress(BlockingIOError):
                if ready & READ:
                    self._read()
                if self._unsent:
                    del self._unsent[: self._connection.send(self._unsent)]
        except OSError as error:
            print("lost:", error, flush=True)
            self.close()
        else:
            if self._ended and not self._unsent:
                self.close()
            else:
                self._watcher.change((0 if self._ended else READ) | (WRITE if self._unsent else 0))

    def _read(self) -> None:
        data = self._connection.recv(65536)
        self._unsent += data
        self._ended = not data

    def close(self) -> None:
        self._watcher.close()  # the watcher first, then the descriptor
        self._connection.close()


def main(port: int) -> None:
    with Loop() as loop, socket.create_server(("127.0.0.1", port)) as listener:
        print("listening on port", listener.getsockname()[1], flush=True)
        loop.watch(listener, READ, lambda ready: Connection(loop, listener.accept()[0]))
        loop.run()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8080)
