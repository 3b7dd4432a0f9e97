"""looptck: does an event loop keep the promises of its documents?

`Implementation` is what an adapter makes; everything else is run from the
command line (``looptck --help``) or through pytest (``--implementation``).
"""

from .clocks import Clock, MonotonicClock, VirtualClock
from .implementation import Implementation

__all__ = ["Clock", "Implementation", "MonotonicClock", "VirtualClock", "__version__"]

__version__ = "0.1.0"
