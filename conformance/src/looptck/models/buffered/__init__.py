"""The model of a buffered event, which more than one document has, and how one is acted on."""
