"""The catalogue's tables, read anew from the clouds' own APIs: what `make catalog` does."""
