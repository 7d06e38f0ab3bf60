"""One door to the models: SMG routes and refuses, `cache` answers what was answered before."""
