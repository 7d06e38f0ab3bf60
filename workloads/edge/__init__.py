"""Models on phones: exported, checked, signed, and small enough for the connection."""
