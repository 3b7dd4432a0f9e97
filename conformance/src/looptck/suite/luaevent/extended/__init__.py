"""The rules of what luaevent's complete library adds to its document."""
