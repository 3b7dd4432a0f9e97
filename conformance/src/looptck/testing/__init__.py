"""Tools that the tests of the suite use.  No module here knows a rule."""
