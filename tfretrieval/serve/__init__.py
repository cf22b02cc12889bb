"""A web page over a run, and the HTTP interface beneath it."""
