"""Brings the database to the schema of this image's MLflow, before a server of it starts: `python migrate.py`.

Of several replicas one does it, and the others wait for it. Reads libpq's variables (`PGHOST` and the others).
"""

import sys

import psycopg2
from alembic.util import CommandError
from mlflow.db import upgrade
from mlflow.version import VERSION

ADDRESS = "postgresql+psycopg2://"
# Any number that nobody else locks in this database.
LOCK = 3_172_026


def main() -> int:
    """Migrates; the exit code."""
    try:
        # The lock is this connection's: it ends with the process, however that ends.
        connection = psycopg2.connect("")
        connection.autocommit = True
        connection.cursor().execute("SELECT pg_advisory_lock(%s)", (LOCK,))
    except psycopg2.OperationalError as error:
        print(f"error: no PostgreSQL by the variables PGHOST and others: {error}".strip(), file=sys.stderr)
        return 1
    try:
        upgrade.main([ADDRESS], standalone_mode=False)
    except CommandError as error:
        print(f"error: a newer MLflow than {VERSION} has migrated the database ({error})", file=sys.stderr)
        print("Run an image with that version, or restore the backup from before.", file=sys.stderr)
        return 1
    finally:
        connection.close()
    print(f"event=migrated mlflow={VERSION}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
