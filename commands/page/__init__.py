"""`make page`: one page over a stack, from its state."""
