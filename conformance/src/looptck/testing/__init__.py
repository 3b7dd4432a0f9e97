"""What the tests of the suite are written with.  Nothing here knows a rule."""
