"""Programs of the drift image: fit a reference, score a window, serve the last result to Prometheus."""
