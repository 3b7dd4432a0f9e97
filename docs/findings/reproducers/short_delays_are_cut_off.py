"""A delay of less than half a millisecond is none.

python short_delays_are_cut_off.py uvloop
"""

import importlib
import sys
import time

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "uvloop")
loop = module.new_event_loop()
delay = 0.00045
waits = []

for _ in range(20):
    began = time.monotonic()
    loop.call_later(delay, loop.stop)
    loop.run_forever()
    waits.append(time.monotonic() - began)

shortest = min(waits)
if shortest >= delay:
    sys.exit("not reproduced: every delay was waited for")
print(f"a delay of {delay * 1000:.2f} ms was over after {shortest * 1000:.2f} ms")
