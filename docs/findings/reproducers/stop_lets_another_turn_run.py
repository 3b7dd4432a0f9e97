"""After stop() the turn at hand is finished, and then another one is run.

    python stop_lets_another_turn_run.py uvloop

The socket stays writable, and its callback asks the loop to stop the first
time it is called.
"""

import importlib
import socket
import sys

module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "uvloop")
loop = module.new_event_loop()
near, far = socket.socketpair()
calls = []


def on_writable():
    calls.append(len(calls) + 1)
    if len(calls) == 1:
        loop.stop()


loop.add_writer(near.fileno(), on_writable)
loop.run_forever()
if len(calls) == 1:
    sys.exit("not reproduced: run_forever() ended with the turn that called stop()")
print(f"the callback that called stop() ran {len(calls)} times in one run_forever()")
