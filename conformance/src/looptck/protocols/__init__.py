"""The APIs of the documents in Python, as Protocol classes: exactly what a loop must offer.

A protocol says which names exist, which arguments they take, and in which units.
This package knows no rule and no test.
"""
