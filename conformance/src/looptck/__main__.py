"""`python -m looptck`: the same as `looptck`."""

from .cli import main

main()
