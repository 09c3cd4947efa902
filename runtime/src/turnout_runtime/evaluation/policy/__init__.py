"""What a policy that never ran would have earned, from the log of one that did: off-policy evaluation."""
