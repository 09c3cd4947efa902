"""What the prediction log says: reading it, joining labels, quality per revision and arm, training sets.

Everything here reads a log through `LogSource`, whatever its files are.
"""
