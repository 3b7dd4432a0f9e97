"""add_reader() sets O_NONBLOCK on the descriptor that it watches, and leaves it set.

python watching_makes_non_blocking.py uvloop
"""

import importlib
import os
import sys

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "uvloop")
loop = module.new_event_loop()
reading, writing = os.pipe()
before = os.get_blocking(reading)
loop.add_reader(reading, print)
loop.remove_reader(reading)
loop.close()
after = os.get_blocking(reading)
if after == before:
    sys.exit("not reproduced: the descriptor is as blocking as it was")
print(f"blocking before: {before}; after it was watched, and the loop closed: {after}")
