"""Results made readable: the terminal's table and text, JUnit XML."""
