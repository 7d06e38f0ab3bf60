"""MLflow on the stack's PostgreSQL and lake: runs, models, and which of them is in production."""
