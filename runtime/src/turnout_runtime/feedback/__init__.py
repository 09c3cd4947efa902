"""Feedback: what came of predictions, sent back by callers, checked, and kept beside the prediction log."""
