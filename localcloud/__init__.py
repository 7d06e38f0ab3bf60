"""The machinery of a cloud that needs no account: engine, providers, API servers, autoscaling."""
