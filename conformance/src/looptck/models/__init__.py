"""Models: what may happen, as pure executable statements, and what compares loops with them.

`world`, `luaevent` and `luahop` are the oracle and do no I/O.  `scenario` is
what is played, as data and as text; `playing` plays one on a loop and on the
model in lockstep; `generating` makes them up; `exploring` searches.
"""
