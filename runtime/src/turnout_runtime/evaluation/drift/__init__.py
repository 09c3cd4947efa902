"""What moved between two windows of the log: exactly, and by sketches that are cheap enough to fill online."""
