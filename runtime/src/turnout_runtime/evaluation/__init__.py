"""What the prediction log tells of models and policies: what moved, what another bundle would have answered, and what
another policy would have earned."""
