"""A due timer is called before a ready descriptor of the same turn.

python timers_before_descriptors.py uvloop
"""

import importlib
import socket
import sys
import time

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "uvloop")
loop = module.new_event_loop()
near, far = socket.socketpair()
far.send(b"unread")
order = []


def note(what):
    order.append(what)
    if len(order) == 2:
        loop.stop()


def on_readable():
    loop.remove_reader(near.fileno())
    note("descriptor")


loop.add_reader(near.fileno(), on_readable)
loop.call_later(0.001, note, "timer")
time.sleep(0.01)
loop.run_forever()
if order != ["timer", "descriptor"]:
    sys.exit(f"not reproduced: the order was {', '.join(order)}")
print(f"both were due when the loop started; the order was {', '.join(order)}")
