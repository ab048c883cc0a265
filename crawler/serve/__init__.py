"""A running crawl for those who look at it: its page and its metrics over HTTP, and its metrics in a file.

Only the command line uses this. Whatever fails here is told once and never ends a crawl.
"""
