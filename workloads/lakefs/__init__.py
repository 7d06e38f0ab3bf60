"""lakeFS: branches and commits of the lake's data."""
