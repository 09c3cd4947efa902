"""Policies with shadows."""

from dataclasses import replace

from tests.integration.xds.world import policy

from turnout_operator.plan.routes import ArmRoute, PolicyRoute, Shadow

SIZE = 64 * 1024


def arm(name: str, weight: int = 0) -> ArmRoute:
    return ArmRoute(name, f"demo/{name}", name, weight)


def shadow(name: str, percent: int = 10_000, concurrent: int = 64, size: int = SIZE) -> Shadow:
    return Shadow(arm(name), percent, concurrent, size)


def shadowed(name: str, *shadows: Shadow, **weights: int) -> PolicyRoute:
    """Objective `name` of arm main, or of these arms, with these shadows."""
    return replace(policy(name, weights or {"main": 10_000}), shadows=shadows)
