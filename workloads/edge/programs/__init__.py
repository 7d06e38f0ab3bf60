"""What runs in the edge container, and what a phone does. Imports nothing of Pulumi."""
