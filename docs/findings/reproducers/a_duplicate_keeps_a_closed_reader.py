"""A watched descriptor is closed; its reader is still called while a duplicate is open.

    python a_duplicate_keeps_a_closed_reader.py asyncio

On Linux epoll files an interest under the open file, which the duplicate keeps.
"""

import importlib
import os
import sys

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "asyncio")
loop = module.new_event_loop()
calls = []

reading, writing = os.pipe()
duplicate = os.dup(reading)
loop.add_reader(reading, calls.append, "called")
os.close(reading)
os.write(writing, b"unread")
loop.call_later(0.05, loop.stop)
loop.run_forever()
if not calls:
    sys.exit("not reproduced: the reader of the closed descriptor was not called")
print(f"the reader of the closed descriptor was called {len(calls)} times")
