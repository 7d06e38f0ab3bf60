"""Data versioned by DVC, with the lake as its remote: the team's `.dvc/config`."""
