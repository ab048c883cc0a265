"""Pictures of a crawl, as SVG within HTML: drawn here, from plain numbers, without a script and without a style.

A picture is as wide as the page. Its lengths are shares of that width, and its letters are never stretched with it.
Colours are classes, which the page's style sheet gives, for light and for dark.
"""
