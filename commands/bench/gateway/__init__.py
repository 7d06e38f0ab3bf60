"""`make bench PART=gateway`: the response cache and the gateway, each against what is behind it."""
