# For type checkers: at run time this name is `tideloop.dialects.luaevent` itself.
from .dialects.luaevent import *  # noqa: F403  (all of it, that is the point)
