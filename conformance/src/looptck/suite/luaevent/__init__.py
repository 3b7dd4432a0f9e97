"""The rules of the luaevent document."""
