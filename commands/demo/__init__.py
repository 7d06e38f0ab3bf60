"""`make demo`: the whole loop on one laptop, from data to a better model in front of users."""
