"""Asked to stop before it runs, the loop does not look at what is ready.

    python a_stop_beforehand_looks_at_nothing.py rloop

The socket is writable all the time.
"""

import importlib
import socket
import sys

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "rloop")
loop = module.new_event_loop()
near, far = socket.socketpair()
calls = []
loop.add_writer(near.fileno(), calls.append, "writable")

ended = "returned"
loop.stop()
try:
    loop.run_forever()
except Exception as error:
    ended = f"raised {error!r}"
if calls:
    sys.exit("not reproduced: run_forever() called what was ready, and ended")
print(f"after stop(), run_forever() {ended} and had called nothing, though a socket was writable")
