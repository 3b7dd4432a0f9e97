"""What cannot be called is accepted as a callback, and fails only when it is due.

python callbacks_are_not_checked.py asyncio
"""

import importlib
import socket
import sys

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "asyncio")
loop = module.new_event_loop()
near, far = socket.socketpair()

try:
    loop.add_reader(near.fileno(), None)
    loop.call_later(3600, "a text").cancel()
except TypeError as error:
    sys.exit(f"not reproduced: refused with {error!r}")
print("add_reader(fd, None) and call_later(3600, 'a text') were accepted")
