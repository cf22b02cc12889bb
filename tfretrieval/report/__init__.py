"""The HTML report of a run or study: contents, tables, captions and the page."""
