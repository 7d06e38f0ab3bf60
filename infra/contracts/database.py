"""How the pods of a workload find its PostgreSQL database, the same on every cloud: by what libpq itself reads."""

SECRET = "database"
"""The Secret in the workload's namespace: libpq's environment variables by their own names, and `ca.pem`."""
VARIABLES = ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGSSLMODE", "PGSSLROOTCERT")
FOLDER = "/var/run/database"
"""Where pods mount the Secret; `PGSSLROOTCERT` names `ca.pem` in it."""
