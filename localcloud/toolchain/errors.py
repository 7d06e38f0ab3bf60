"""What ends a set-up in one message."""


class ToolchainError(Exception):
    """Something that the user can mend: the message says how."""
