"""Facts: values fetched while a request is answered, each under its own deadline."""

from turnout_runtime.facts.fetch import Fact, FactRule, Facts
from turnout_runtime.facts.source import FactSource, Found, NoSuchKey, Scope

__all__ = ["Fact", "FactRule", "FactSource", "Facts", "Found", "NoSuchKey", "Scope"]
