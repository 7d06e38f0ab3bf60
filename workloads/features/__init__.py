"""Features: computed once in the lake, the same for training and, from Redis, for a model that answers."""
