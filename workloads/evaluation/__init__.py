"""Golden sets: what a model must answer, and the gate that no worse one passes."""
