"""A connection that was reset wakes its reader once, although it stays unread.

    python reset_is_told_once.py uvloop

A socket at its ordinary end wakes the reader in every turn.
"""

import importlib
import socket
import struct
import sys

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "uvloop")


def calls_in_a_while(*, reset):
    listening = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listening.getsockname())
    served, _ = listening.accept()
    served.setblocking(False)
    if reset:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    calls = []
    loop = module.new_event_loop()
    loop.add_reader(served.fileno(), calls.append, "called")
    loop.call_later(0.05, loop.stop)
    loop.run_forever()
    loop.close()
    return len(calls)


ended, was_reset = calls_in_a_while(reset=False), calls_in_a_while(reset=True)
if was_reset > 1:
    sys.exit(f"not reproduced: {was_reset} calls after a reset, {ended} after an ordinary end")
print(f"in 50 ms, {ended} calls after an ordinary end and {was_reset} after a reset")
