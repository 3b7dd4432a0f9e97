"""Models: what may happen, as pure executable statements, and what compares loops with them.

`world`, `luaevent`, `luahop`, `buffered` and `levent_events` are the oracle and
do no I/O.  `scenario` and `levent_scenario` are what is played, as data and as
text; `playing` plays one on a loop and on the model in lockstep; `generating`
makes them up; `exploring` searches.
"""
