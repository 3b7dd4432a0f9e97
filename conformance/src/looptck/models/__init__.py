"""Models of what a loop may do, and the scenarios that compare loops with them.

`channel_state`, `luaevent`, `luahop`, `buffered` and `levent_events` are the
models: pure Python without I/O.  `scenario` and `levent_scenario` hold scenarios
as data and as text; `run` runs one on a loop and on the model in lockstep;
`generate` makes new ones; `explore` searches for one in which the two differ.
"""
