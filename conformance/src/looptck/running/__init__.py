"""Running the suite: the runner process, the scheduler of rules, and the worker processes."""
