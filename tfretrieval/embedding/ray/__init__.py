"""The Ray engine, which distributes another engine over a cluster."""
