"""call_later(float("inf"), ...) runs at once.

python an_endless_delay_is_none.py rloop
"""

import importlib
import sys

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "rloop")
loop = module.new_event_loop()
calls = []
loop.call_later(float("inf"), calls.append, "called")
loop.call_later(0.05, loop.stop)
loop.run_forever()
if not calls:
    sys.exit("not reproduced: it was not called")
print("a timer with an infinite delay was called within 50 ms")
