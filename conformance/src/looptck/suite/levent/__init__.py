"""The rules of the levent document."""
