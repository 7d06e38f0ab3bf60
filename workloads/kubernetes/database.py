"""What a pod of a workload with a PostgreSQL database gets, so that every client that stands on libpq finds it."""

import pulumi_kubernetes as k8s

from infra.contracts.database import CERTIFICATE, FOLDER, SECRET


def database_environment() -> k8s.core.v1.EnvFromSourceArgs:
    """`PGHOST` and the others. SQLAlchemy's address is then `postgresql+psycopg2://`, without a password."""
    return k8s.core.v1.EnvFromSourceArgs(secret_ref=k8s.core.v1.SecretEnvSourceArgs(name=SECRET))


def database_volume() -> k8s.core.v1.VolumeArgs:
    """The certificate that the server's is checked against."""
    items = [k8s.core.v1.KeyToPathArgs(key=CERTIFICATE, path=CERTIFICATE)]
    source = k8s.core.v1.SecretVolumeSourceArgs(secret_name=SECRET, items=items, default_mode=0o444)
    return k8s.core.v1.VolumeArgs(name="database", secret=source)


def database_mount() -> k8s.core.v1.VolumeMountArgs:
    """Where the volume is in the container."""
    return k8s.core.v1.VolumeMountArgs(name="database", mount_path=FOLDER, read_only=True)
