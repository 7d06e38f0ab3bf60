"""Sites: what a stack has in one region of one cloud, top to bottom."""
