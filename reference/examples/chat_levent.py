"""A chat: each line that somebody sends goes to everybody.

python chat_levent.py [PORT]
"""

import socket
import sys

from tideloop import levent

levent.setfdaccessor(socket.socket, socket.socket.fileno)


class Room:
    def __init__(self, base: levent.Base) -> None:
        self._base = base
        self._members: dict[socket.socket, levent.EvBuf] = {}

    def accept(self, listener: socket.socket) -> None:
        member, _ = listener.accept()
        # Kept in the dict: what nobody references is deleted.
        self._members[member] = self._base.newevbuf(member, self._received, None, self._ended)
        self._members[member].start()

    def _received(self, member: socket.socket) -> None:
        while (line := self._members[member].readline()) is not None:
            for each in self._members.values():
                each.write(line + b"\n")

    def _ended(self, member: socket.socket, what: int) -> None:
        self._members.pop(member).delete()  # the buffers first, then the descriptor
        member.close()


def main(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)) as listener:
        print("listening on port", listener.getsockname()[1], flush=True)
        base = levent.newbase()
        door = base.newevent(listener, Room(base).accept)
        door.start()
        base.loop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8080)
