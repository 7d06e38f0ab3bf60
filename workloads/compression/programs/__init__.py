"""What runs in the compression container. Imports nothing of Pulumi."""
