"""What ends in one message."""


class RegistryError(Exception):
    """What is wrong, where, and what to do."""
