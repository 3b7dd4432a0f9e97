# For type checkers: at run time this name is `tideloop.dialects.levent` itself.
from .dialects.levent import *  # noqa: F403  (all of it, that is the point)
