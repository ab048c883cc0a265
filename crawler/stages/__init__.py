"""The stages of a page's way, each named for what it does and where it runs."""
