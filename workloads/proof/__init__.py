"""Proof that a cluster and its lake are what they claim to be: `component` deploys it, the rest runs in its pods."""
