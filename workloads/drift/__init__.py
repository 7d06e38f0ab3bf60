"""Drift: whether what a model is asked still looks like what it learnt from, and a new training when it does not."""
