"""The desired state, kept. Only `control` commits to it."""
