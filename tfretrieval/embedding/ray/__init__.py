"""The Ray engine, which distributes another engine over many machines, and Parquet shards of embeddings."""
