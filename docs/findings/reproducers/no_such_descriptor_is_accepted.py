"""add_reader() accepts a number that is no open descriptor, and a file that cannot be waited for.

    python no_such_descriptor_is_accepted.py rloop

On Linux epoll refuses both: EBADF and EPERM.
"""

import importlib
import os
import sys
import tempfile

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "rloop")
loop = module.new_event_loop()
accepted = []

closed = os.dup(0)
os.close(closed)
with tempfile.TemporaryFile() as regular:
    for name, fd in (("a closed descriptor", closed), ("a regular file", regular.fileno())):
        try:
            loop.add_reader(fd, print)
        except OSError:
            continue
        accepted.append(name)

if len(accepted) < 2:
    sys.exit(f"not reproduced: accepted was {accepted or 'nothing'}")
print(f"add_reader() accepted {' and '.join(accepted)}")
