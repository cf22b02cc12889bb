"""Audits of a collection: files, duplicates, image issues and label issues."""
