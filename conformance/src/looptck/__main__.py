"""`python -m looptck`: the same as `looptck`."""

from .cli.main import main

main()
