"""Verdicts, the stream of results, and certificates.  Knows neither processes nor terminals."""
