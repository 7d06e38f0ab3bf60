"""The programs that the local cloud runs: which, at which version, and where they come from."""
