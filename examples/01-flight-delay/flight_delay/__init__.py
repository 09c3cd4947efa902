"""Data, training and rendering of the flight-delay example."""
