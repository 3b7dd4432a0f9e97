"""Adapters for loops of other people.

What an adapter here may do, and what it leaves undone so that the loop and not
the adapter is judged, is written in docs/adapters.md.
"""
