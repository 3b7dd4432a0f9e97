"""The implementations under test: their description, discovery, and the counting of calls."""
