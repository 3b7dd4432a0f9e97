"""The exception handler is called with one argument in place of two, and so fails itself.

python exception_handler_gets_no_loop.py rloop
"""

import importlib
import logging
import sys

logging.disable(logging.CRITICAL)
module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "rloop")
loop = module.new_event_loop()
told = []


def handler(*arguments):
    told.append(arguments)


def fail():
    raise KeyError("of the callback")


loop.set_exception_handler(handler)
loop.call_soon(fail)
loop.call_later(0.01, loop.stop)
loop.run_forever()
if [len(arguments) for arguments in told] == [2]:
    sys.exit("not reproduced: the handler got the loop and the context")
print(f"the handler was called with {[len(arguments) for arguments in told]} arguments, not [2]")
