"""cancel() of a timer leaves the loop holding on to the callback, after close() too.

python a_cancelled_timer_keeps_its_callback.py rloop
"""

import gc
import importlib
import sys
import weakref

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "rloop")
loop = module.new_event_loop()


class Callback:
    def __call__(self):
        pass


callback = Callback()
held = weakref.ref(callback)
loop.call_later(3600, callback).cancel()
del callback
loop.call_soon(loop.stop)
loop.run_forever()
gc.collect()
if held() is None:
    sys.exit("not reproduced: the callback was let go of")
loop.close()
gc.collect()
print(f"held after cancel(): True; after close(): {held() is not None}")
