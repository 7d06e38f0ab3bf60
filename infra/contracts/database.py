"""How the pods of a workload find its PostgreSQL database, the same on every cloud: by what libpq itself reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi

SECRET = "database"
"""The Secret in the workload's namespace: libpq's environment variables by their own names, and `ca.pem`."""
VARIABLES = ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGSSLMODE", "PGSSLROOTCERT")
CERTIFICATE = "ca.pem"
FOLDER = "/var/run/database"
"""Where pods mount the Secret; `PGSSLROOTCERT` names `ca.pem` in it."""
PORT = 5432
CONNECTION_LOGS = ("log_connections", "log_disconnections")
"""PostgreSQL's parameters by which it writes down who connected, from where and for how long; no statement."""


@dataclass(frozen=True)
class Database:
    """A PostgreSQL database that one workload has for itself.

    `name` is of the database, and of the user who owns it: the workload's. `certificate` is the authority's, in PEM,
    that the server's is checked against; `ssl_mode` says whether the host's name must be in it too. `cidrs` are the
    networks that the server's address is in.
    """

    host: pulumi.Input[str]
    name: str
    password: pulumi.Input[str]
    ssl_mode: Literal["verify-ca", "verify-full"]
    certificate: pulumi.Input[str]
    cidrs: pulumi.Input[Sequence[str]]

    @property
    def secret(self) -> Mapping[str, pulumi.Input[str]]:
        """What the Secret holds."""
        values = (
            self.host,
            str(PORT),
            self.name,
            self.name,
            self.password,
            self.ssl_mode,
            f"{FOLDER}/{CERTIFICATE}",
        )
        return {**dict(zip(VARIABLES, values, strict=True)), CERTIFICATE: self.certificate}
