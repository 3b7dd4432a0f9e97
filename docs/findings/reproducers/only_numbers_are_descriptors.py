"""add_reader() refuses an object with fileno().

python only_numbers_are_descriptors.py rloop
"""

import importlib
import socket
import sys

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "rloop")
loop = module.new_event_loop()
near, far = socket.socketpair()
try:
    loop.add_reader(near, print)
except TypeError as error:
    print(f"add_reader(a socket, ...) raised {error!r}")
else:
    sys.exit("not reproduced: the socket was accepted")
