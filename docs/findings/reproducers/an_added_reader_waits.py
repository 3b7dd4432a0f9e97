"""A reader that is added beside a writer is not called, although there is data, for many turns.

    python an_added_reader_waits.py rloop

The socket is readable and writable all the time.
"""

import importlib
import socket
import sys

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "rloop")
loop = module.new_event_loop()
near, far = socket.socketpair()
far.send(b"unread")
calls = []


def on_writable():
    calls.append("writer")
    if len(calls) == 1:
        loop.add_reader(near.fileno(), on_readable)
    if len(calls) == 100_000:
        loop.stop()


def on_readable():
    calls.append("reader")
    loop.stop()


loop.add_writer(near.fileno(), on_writable)
loop.run_forever()
before = calls.index("reader") if "reader" in calls else len(calls)
if before < 10:
    sys.exit(f"not reproduced: the reader was called after {before} calls of the writer")
print(f"the writer was called {before} times before the reader was")
