"""What a stack has on premises, on any server."""
