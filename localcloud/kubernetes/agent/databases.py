"""The PostgreSQL databases of a cluster's pods, on loopback, under TLS: each at the name that RDS gave it. An address
of Cloud SQL can't be this machine's: libpq is told of another one beside it (`PGHOSTADDR`).

The certificates are of an authority of this agent's own, which stands in the pods' files where the Secret has the
cloud's: nobody here has the cloud's key.
"""

from __future__ import annotations

import asyncio
import ipaddress
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext, SSLError
from typing import TYPE_CHECKING

from infra.contracts.database import CERTIFICATE, PORT, SECRET
from localcloud import databases, google_databases
from localcloud.databases import Database
from localcloud.kubernetes.agent import addresses
from localcloud.kubernetes.agent.forwarders import copy
from localcloud.kubernetes.agent.images import table
from localcloud.kubernetes.agent.references import NotThereError, References
from localcloud.kubernetes.api import Object

if TYPE_CHECKING:
    from localcloud.kubernetes.agent.authority import Authority

# What a client may say first, after its length ("Message Formats" of PostgreSQL's documentation): SSLRequest,
# CancelRequest, GSSENCRequest.
SSL, CANCEL, GSS = (struct.pack("!I", code) for code in (80877103, 80877102, 80877104))
# What RDS says under rds.force_ssl.
_REFUSAL = b"SFATAL\0C28000\0Mno pg_hba.conf entry for host, no encryption\0\0"
PLAIN_REFUSED = b"E" + struct.pack("!I", len(_REFUSAL) + 4) + _REFUSAL


def unsupported(pod: Object) -> str:
    """Why a pod's database can't be played; empty if it can, or if it has none."""
    if _refers(pod) and _programs() is None:
        return "no PostgreSQL on this machine: make environments"
    return ""


class Databases:
    """Those that pods of a cluster have asked for. `folder` is the cluster's; `on_change` hears of a new name."""

    def __init__(self, folder: Path, on_change: Callable[[], None]) -> None:
        self._folder, self._on_change = folder, on_change
        self._loop = asyncio.new_event_loop()
        self._ports: dict[str, int] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def names(self) -> list[tuple[str, str]]:
        """Address and name of each that has a name, for /etc/hosts."""
        return [(self._address(host), host) for host in list(self._ports) if not _is_address(host)]

    def prepare(self, references: References, pod_folder: Path) -> dict[str, str]:
        """Have the database of a pod answer, if it has one of the local cloud's, and let the pod trust it. Returns the
        variables by which the pod finds it, beside those that it has.

        Raises:
            NotThereError: the Secret or the way to the database is not there, or PostgreSQL does not start.
        """
        programs = _programs()
        if not _refers(references.pod) or programs is None:
            return {}
        host = references.data("Secret", SECRET).get("PGHOST", b"").decode()
        database = google_databases.at(host) if _is_address(host) else databases.named(host)
        if database is None and _is_address(host):
            raise NotThereError(f"no forwarding rule leads {host} to a database of Cloud SQL")
        if database is None:
            return {}
        self._serve(host, database, programs)
        for volume in references.pod["spec"].get("volumes") or ():
            if (volume.get("secret") or {}).get("secretName") == SECRET:
                file = pod_folder / "volumes" / volume["name"] / CERTIFICATE
                file.write_bytes(self._authority.certificate)
        return {"PGHOSTADDR": self._address(host)} if _is_address(host) else {}

    def _serve(self, host: str, database: Database, programs: Path) -> None:
        with self._lock:
            known = host in self._ports
            try:
                port = databases.serve(database, programs)
                if not known:
                    listening = self._listen(host, self._authority.issue(database.server))
                    asyncio.run_coroutine_threadsafe(listening, self._loop).result()
            except (databases.DatabaseError, OSError) as error:
                raise NotThereError(str(error)) from error
            self._ports[host] = port
        if not known:
            self._on_change()

    def _address(self, host: str) -> str:
        # By the folder too: another local cloud may have a database of that name.
        return addresses.of_uid(f"{self._folder}/{host}")

    @cached_property
    def _authority(self) -> Authority:
        # Imported by the first pod that needs it: its library takes a tenth of a second.
        from localcloud.kubernetes.agent.authority import Authority

        return Authority.new(self._folder / "databases", "databases of the local cloud")

    async def _listen(self, host: str, certificate: Path) -> None:
        context = SSLContext(PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, SSLError, asyncio.IncompleteReadError):
                await self._answer(host, context, reader, writer)
            writer.close()

        await asyncio.start_server(answer, self._address(host), PORT)

    async def _answer(
        self, host: str, context: SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Encrypt what a client says, or pass on that it gives a statement up; nothing else goes in plain text."""
        while (first := await reader.readexactly(8)).endswith(GSS):
            writer.write(b"N")
        if first.endswith(SSL):
            writer.write(b"S")
            await writer.start_tls(context)
            first = b""
        elif not first.endswith(CANCEL):
            writer.write(PLAIN_REFUSED)
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._ports[host])
        back.write(first)

        async def toward_client() -> None:
            await copy(there, writer)
            writer.close()  # TLS has no end of one direction

        await asyncio.gather(copy(reader, back), toward_client())
        back.close()


def _refers(pod: Object) -> bool:
    """Whether a container has the variables of a database."""
    containers = (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"])
    sources = (source for container in containers for source in container.get("envFrom") or ())
    return any((source.get("secretRef") or {}).get("name") == SECRET for source in sources)


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def _programs() -> Path | None:
    return databases.programs(table().databases.folder)
