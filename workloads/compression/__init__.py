"""Compression of language models: smaller checkpoints that are as good as the settings ask, or none."""
