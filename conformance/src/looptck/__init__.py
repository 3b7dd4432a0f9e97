"""looptck: does an event loop keep the promises of its documents?

`Implementation` is what an adapter makes; everything else is run from the
command line (``looptck --help``) or through pytest (``--implementation``).
"""

import os
import sys
from typing import TYPE_CHECKING

if sys.platform == "win32":
    raise ImportError("looptck runs on Linux, macOS and the BSDs; on Windows, install it in WSL")

from . import import_path as import_path

# The command itself, and not a program that imports looptck; before anything
# else is imported, since a `json.py` may lie in the user's folder.
if os.path.basename(sys.argv[0]) in ("-m", "looptck"):
    import_path.put_users_last()

if TYPE_CHECKING:
    from .clocks import Clock, MonotonicClock, VirtualClock
    from .subjects.implementation import Implementation

__all__ = ["Clock", "Implementation", "MonotonicClock", "VirtualClock", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Names are imported when they are asked for.

    The command line imports this package first, and must answer Ctrl-C before
    it imports anything that takes time.
    """
    if name == "Implementation":
        from .subjects.implementation import Implementation

        return Implementation
    if name in __all__:
        from . import clocks

        return getattr(clocks, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
