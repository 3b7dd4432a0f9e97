"""call_later(delay, ...) runs before the delay has passed on the monotonic clock.

python timers_come_early.py uvloop
"""

import importlib
import sys
import time

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "uvloop")
loop = module.new_event_loop()
earliest = 0.0

for attempt in range(40):
    delay = 0.0104 + attempt / 100_000
    began = time.monotonic()
    loop.call_later(delay, loop.stop)
    loop.run_forever()
    earliest = max(earliest, delay - (time.monotonic() - began))

if earliest < 0.00005:
    sys.exit("not reproduced: no timer of 40 was early")
print(f"of 40 timers, one ran {earliest * 1000:.2f} ms before its delay had passed")
