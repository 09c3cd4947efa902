"""What is done to a log after it was written: entities are forgotten, small files merged, everything checked."""
