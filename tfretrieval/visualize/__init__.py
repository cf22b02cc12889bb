"""Images of retrieval: one plot a file, each a function that returns a matplotlib `Figure`."""
