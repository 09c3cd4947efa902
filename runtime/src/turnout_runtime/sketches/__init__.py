"""What a process can keep of all that it has seen, at the price of a count: histograms that merge by addition.

Importing this package loads nothing; its modules need numpy.
"""
