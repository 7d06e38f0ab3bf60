"""What crosses rooms: names that two rooms must write alike."""
