"""The response cache in front of the gateway: `python -m cache --config cache.json --secrets /etc/cache`."""
