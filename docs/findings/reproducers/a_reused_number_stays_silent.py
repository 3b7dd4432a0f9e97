"""A descriptor is closed while it is watched; the next one with its number is never reported.

python a_reused_number_stays_silent.py asyncio
"""

import importlib
import os
import sys

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "asyncio")
loop = module.new_event_loop()
calls = []

number, writing = os.pipe()
loop.add_reader(number, print)
os.close(number)
reading, other = os.pipe()
if reading != number:
    os.dup2(reading, number)
os.write(other, b"unread")

loop.add_reader(number, calls.append, "called")
loop.call_later(0.1, loop.stop)
loop.run_forever()
if calls:
    sys.exit("not reproduced: the new reader was called")
print("there is data to read, and the reader of the reused number was never called")
