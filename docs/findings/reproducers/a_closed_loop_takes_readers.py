"""add_reader() of a closed loop raises nothing.

python a_closed_loop_takes_readers.py rloop
"""

import importlib
import socket
import sys

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "rloop")
loop = module.new_event_loop()
near, far = socket.socketpair()
loop.close()
try:
    loop.add_reader(near.fileno(), print)
except RuntimeError as error:
    sys.exit(f"not reproduced: {error!r}")
print("the loop is closed, and add_reader() went through")
