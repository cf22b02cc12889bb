"""What the commands do, one step a file: each takes a `Run`, makes what is missing or stale, and returns it."""
