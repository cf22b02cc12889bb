"""What the commands do: each workflow takes a `Run`, builds what is missing or stale, and returns it."""
