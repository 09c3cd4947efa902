"""Facts: values fetched while a request is answered, each under its own deadline."""

from turnout_runtime.facts.fetch import Fact, FactRule, Facts, FactSource, NoSuchKey

__all__ = ["Fact", "FactRule", "FactSource", "Facts", "NoSuchKey"]
