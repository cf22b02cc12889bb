"""A web page over a run, and its HTTP API."""
