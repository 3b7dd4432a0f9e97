"""looptck: does an event loop keep the promises of its documents?

`Implementation` is what an adapter makes; everything else is run from the
command line (``looptck --help``) or through pytest (``--implementation``).
"""

import os
import sys

from . import reach

# The command itself, and not a program that imports looptck; before anything
# else is imported, since a `json.py` may lie in the user's folder.
if os.path.basename(sys.argv[0]) in ("-m", "looptck"):
    reach.put_users_last()

from .clocks import Clock, MonotonicClock, VirtualClock
from .implementation import Implementation

__all__ = ["Clock", "Implementation", "MonotonicClock", "VirtualClock", "__version__"]

__version__ = "0.1.0"
