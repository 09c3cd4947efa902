"""Turnout's runtime: serves one bundle's workflow and logs every prediction."""
