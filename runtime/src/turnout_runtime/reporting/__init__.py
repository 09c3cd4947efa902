"""A log as one page with plots, for people: HTML that needs no network, no script and no library to draw it.

The plots are SVG of our own. They take their colours from the page, so that they are dark where it is, and their text
stays text; a plotting library would be larger than all the rest of this package, and draw for one background.
"""
