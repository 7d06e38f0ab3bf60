"""What stops a program with one message."""


class FeaturesError(Exception):
    """A definition, a partition, a moment or a registry is not as it must be: what, where, and what to do."""


class BusyError(FeaturesError):
    """Another program does it just now."""
