"""What runs in the gateway's environment: servers (`python -m uvicorn`), and a client that counts."""
