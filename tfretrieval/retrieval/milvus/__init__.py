"""The Milvus retriever."""
