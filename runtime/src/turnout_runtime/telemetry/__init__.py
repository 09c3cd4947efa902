"""What the runtime tells about itself: metrics and its own log."""
