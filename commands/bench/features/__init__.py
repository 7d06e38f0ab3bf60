"""The servers that features are tested with, and will be measured with."""
