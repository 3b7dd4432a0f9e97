# For type checkers: at run time this name is `tideloop.dialects.luahop` itself.
from .dialects.luahop import *  # noqa: F403  (all of it, that is the point)
