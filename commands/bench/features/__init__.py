"""`make bench PART=features`: reads against bare Redis, and materialisation against Feast's own."""
