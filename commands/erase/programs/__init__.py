"""Programs of `make erase` that need pyarrow: they run in an environment of their own, and import nothing of ours."""
