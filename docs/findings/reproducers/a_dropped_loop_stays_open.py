"""A loop that is dropped without close() is collected, and its descriptors are not closed.

python a_dropped_loop_stays_open.py uvloop
"""

import gc
import importlib
import os
import sys
import warnings

warnings.simplefilter("ignore")
module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "uvloop")


def open_descriptors():
    gc.collect()
    return len(os.listdir("/dev/fd"))


module.new_event_loop().close()
before = open_descriptors()
for _ in range(10):
    module.new_event_loop()
left = open_descriptors() - before
if left <= 0:
    sys.exit("not reproduced: ten loops were dropped, and no descriptor is left")
print(f"ten loops were dropped, and {left} descriptors are left")
