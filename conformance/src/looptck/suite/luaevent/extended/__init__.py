"""The rules of the functions that luaevent's complete library adds to its document."""
