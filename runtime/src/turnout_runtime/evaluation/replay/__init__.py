"""Logged requests through another bundle, with the facts that they had, and what that changes."""
