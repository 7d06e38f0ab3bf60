"""What `make erase` does in the object store: it runs in an environment with pyarrow and s3fs, and imports nothing of
ours beside itself."""
