"""Models of what a loop may do, and the scenarios that compare loops with them.

`engine` knows no document: scenarios as data and as text, random choices, the
runner, shrinking and the search.  Each document has a package with its model,
which is pure Python without I/O, its words and its runner; `buffered` is what
the documents with buffered events share.  `documents` lists them.
"""
