"""A loop cannot be run inside a callback of another loop.

python no_loop_inside_a_callback.py asyncio
"""

import importlib
import sys

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "asyncio")
outer, inner = module.new_event_loop(), module.new_event_loop()
met = []


def run_the_other():
    inner.call_soon(inner.stop)
    try:
        inner.run_forever()
    except Exception as error:
        met.append(error)
    outer.stop()


outer.call_soon(run_the_other)
outer.run_forever()
if not met:
    sys.exit("not reproduced: the inner loop ran")
print(f"the inner loop raised {met[0]!r}")
