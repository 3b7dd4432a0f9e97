"""The documents' loops, thin over one core: names, defaults, return values, errors."""
