"""Models that were trained: where they came from, which is in production, and how each got there. On MLflow's registry.

python -m registry --help
"""
