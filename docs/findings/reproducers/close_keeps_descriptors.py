"""A loop that was closed and dropped still holds descriptors.

    python close_keeps_descriptors.py rloop

Counted from the second loop on, so that what a library opens once for the
whole process does not count.
"""

import gc
import importlib
import os
import sys

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "rloop")


def open_descriptors():
    gc.collect()
    return len(os.listdir("/dev/fd"))


def use_a_loop():
    loop = module.new_event_loop()
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()


use_a_loop()
before = open_descriptors()
for _ in range(10):
    use_a_loop()
left = open_descriptors() - before
if left <= 0:
    sys.exit("not reproduced: ten loops were closed, and no descriptor is left")
print(f"ten loops were closed, and {left} descriptors are left")
