"""Audit of an image collection: duplicates and leaks, image issues, label issues, and the audit page."""
