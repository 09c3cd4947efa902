"""The level-based control loop: gather, plan, apply, report."""
