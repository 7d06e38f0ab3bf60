"""Cloud Storage on loopback: `gcp-storage-emulator`, which knows one generation of an object, with all of them.

What Google refuses is refused here: a write to another generation than the one that was named, one over an object that
is held or retained, the deletion of such a generation. From docs.cloud.google.com/storage/docs (object-versioning,
object-holds, bucket-lock, object-lock, soft-delete, request-preconditions), read in November 2026.

That conditions are looked at before holds and retention, and the messages, are from answers of Google's that others
published, not from those pages; none was seen here.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers import objects
from gcp_storage_emulator.server import RequestHandler, Router
from gcp_storage_emulator.storage import Storage

Record = dict[str, Any]

# The emulator takes these of an object's metadata, but for holds and retention.
objects._WRITABLE_FIELDS = (*objects._WRITABLE_FIELDS, "temporaryHold", "eventBasedHold", "retention")
_FILE = ".noncurrent"


class RefusedError(Exception):
    """What Cloud Storage refuses: an HTTP status, the reason as its API has it, and the message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class Objects(Storage):
    """The emulator's objects, and the generations that are noncurrent. `asked` is the query of the request that is
    being answered, `encoding` the Content-Encoding of what is sent: the server answers one at a time."""

    asked: Mapping[str, str]
    encoding: str
    noncurrent: dict[str, dict[str, dict[str, Record]]]

    def create_file(
        self, bucket_name: str, file_name: str, content: bytes, file_obj: Record, file_id: str | None = None
    ) -> None:
        """A new live generation; what the live one was becomes noncurrent, or is soft-deleted."""
        live = self._live(bucket_name, file_name)
        self._meet_conditions(live)
        # The generation of a copy's source is no other object's.
        self.asked = {}
        if live:
            self._make_way(bucket_name, file_name, live)
        # A resumable upload got its number when it began.
        given = file_obj["generation"]
        file_obj["generation"] = str(max(time.time_ns() // 1000, int((live or {}).get("generation", 0)) + 1))
        for name in ("id", "mediaLink"):
            file_obj[name] = file_obj[name].replace(given, file_obj["generation"])
        super().create_file(bucket_name, file_name, content, file_obj, file_id)

    def delete_file(self, bucket_name: str, file_name: str) -> None:
        """The live generation makes way; one that is named is soft-deleted, live or not."""
        generation = self.asked.get("generation")
        found = self._found(bucket_name, file_name, generation)
        self._meet_conditions(found)
        if generation is None:
            self._make_way(bucket_name, file_name, found)
            return
        _refuse_held(found)
        self._refuse_retained(bucket_name, found)
        if found is self._live(bucket_name, file_name):
            super().delete_file(bucket_name, file_name)
            return
        del self.noncurrent[bucket_name][file_name][generation]
        seconds = self._bucket_soft_delete_retention_seconds(bucket_name)
        if seconds > 0:
            now = datetime.now(UTC)
            times = {
                "softDeleteTime": _text(now),
                "hardDeleteTime": _text(now + timedelta(seconds=seconds)),
            }
            # Its content is where that of soft-deleted ones is.
            of_bucket = self.soft_deleted.setdefault(bucket_name, {})
            of_bucket.setdefault(file_name, {})[generation] = found | times
        else:
            self._remove_soft_deleted_generation(bucket_name, file_name, generation)
        self._write_config_to_file()

    def get_file_obj(self, bucket_name: str, file_name: str) -> Record:
        """What is known of the generation that is asked for, or of the live one."""
        found = self._found(bucket_name, file_name, self._generation())
        return self._shown(bucket_name, found)

    def get_file(self, bucket_name: str, file_name: str, show_error: bool = True) -> bytes:
        """The content of the generation that is asked for, or of the live one."""
        generation = self._generation()
        if self.asked.get("alt") == "media":
            self.encoding = self._found(bucket_name, file_name, generation).get("contentEncoding", "")
        if generation in self.noncurrent.get(bucket_name, {}).get(file_name, {}):
            return self._store.read_bytes(self._soft_delete_content_path(bucket_name, file_name, generation))
        if generation and bucket_name in self.buckets:
            self._found(bucket_name, file_name, generation)
        return super().get_file(bucket_name, file_name, show_error)

    def patch_object(self, bucket_name: str, file_name: str, file_obj: Record) -> None:
        """Other metadata of a generation, which neither holds nor retention hinder."""
        found = self._found(bucket_name, file_name, file_obj["generation"])
        found.clear()
        found.update({name: value for name, value in file_obj.items() if name != "retentionExpirationTime"})
        self._write_config_to_file()

    def restore_soft_deleted_file(self, bucket_name: str, file_name: str, generation: str) -> Record:
        """A soft-deleted generation as the live one; what is asked of it is not asked of the one that makes way."""
        self.asked = {}
        return super().restore_soft_deleted_file(bucket_name, file_name, generation)

    def wipe(self, keep_buckets: bool = False) -> None:
        """Forget all objects."""
        self.noncurrent = {}
        super().wipe(keep_buckets)

    def _list_live_candidates(self, bucket_name: str, prefix: str | None = None) -> list[tuple[str, Record]]:
        live = [
            (name, self._shown(bucket_name, one))
            for name, one in super()._list_live_candidates(bucket_name, prefix)
        ]
        if self.asked.get("versions", "").lower() != "true":
            return live
        older = [
            (name, self._shown(bucket_name, one))
            for name, generations in self.noncurrent.get(bucket_name, {}).items()
            for one in generations.values()
            if name.startswith(prefix or "")
        ]
        return [*older, *live]

    def _generation(self) -> str | None:
        return self.asked.get("generation") or self.asked.get("sourceGeneration")

    def _live(self, bucket: str, name: str) -> Record | None:
        return self.objects.get(bucket, {}).get(name)

    def _found(self, bucket: str, name: str, generation: str | None) -> Record:
        live = self._live(bucket, name)
        if live and generation in (None, live["generation"]):
            return live
        older = self.noncurrent.get(bucket, {}).get(name, {}).get(generation or "")
        if older is None:
            raise NotFound
        return older

    def _meet_conditions(self, found: Record | None) -> None:
        """Google looks at these first, and at holds and retention then."""
        known = found or {"generation": "0"}
        wrong = [
            name
            for name, of in (("ifGenerationMatch", "generation"), ("ifMetagenerationMatch", "metageneration"))
            if self.asked.get(name, known.get(of)) != known.get(of)
        ]
        if wrong:
            raise RefusedError(
                412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold."
            )

    def _make_way(self, bucket: str, name: str, live: Record) -> None:
        """The live generation becomes noncurrent, which retention allows, or without versions is soft-deleted."""
        _refuse_held(live)
        if not (self.buckets[bucket].get("versioning") or {}).get("enabled"):
            self._refuse_retained(bucket, live)
            super().delete_file(bucket, name)
            return
        content = super().get_file(bucket, name)
        self._store.write_bytes(self._soft_delete_content_path(bucket, name, live["generation"]), content)
        older = self.noncurrent.setdefault(bucket, {}).setdefault(name, {})
        older[live["generation"]] = live | {"timeDeleted": _text(datetime.now(UTC))}
        self._hard_delete_file(bucket, name)

    def _shown(self, bucket: str, found: Record) -> Record:
        until = self._retained_until(bucket, found)
        return found | ({"retentionExpirationTime": _text(until)} if until else {})

    def _retained_until(self, bucket: str, found: Record) -> datetime | None:
        """The later end of the object's own retention and of the bucket's, which an event-based hold puts off."""
        ends = []
        if of_object := (found.get("retention") or {}).get("retainUntilTime"):
            ends.append(datetime.fromisoformat(of_object))
        period = (self.buckets.get(bucket, {}).get("retentionPolicy") or {}).get("retentionPeriod")
        if period and not found.get("eventBasedHold"):
            ends.append(datetime.fromisoformat(found["timeCreated"]) + timedelta(seconds=int(period)))
        return max(ends, default=None)

    def _refuse_retained(self, bucket: str, found: Record) -> None:
        until = self._retained_until(bucket, found)
        if until and until > datetime.now(UTC):
            raise RefusedError(
                403,
                "retentionPolicyNotMet",
                f"Object '{bucket}/{found['name']}' is subject to bucket's retention policy or object retention and "
                f"cannot be deleted or overwritten until {_text(until)}",
            )

    def _write_config_to_file(self) -> None:
        super()._write_config_to_file()
        self._store.write_bytes(_FILE, json.dumps(self.noncurrent).encode())

    def _read_config_from_file(self) -> None:
        super()._read_config_from_file()
        self.encoding = ""
        self.asked = {}
        self.noncurrent = json.loads(self._store.read_bytes(_FILE)) if self._store.exists_file(_FILE) else {}


class _Handler(RequestHandler):
    """Answers a request, and what is refused as Cloud Storage does."""

    storage: Objects

    def _do(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        self.storage.asked = {name: values[0] for name, values in query.items()}
        self.storage.encoding = ""
        try:
            Router(self).handle(self.command)
        except RefusedError as refused:
            about = {"reason": refused.reason, "message": str(refused), "domain": "global"}
            error = {"error": {"code": refused.status, "message": str(refused), "errors": [about]}}
            body = json.dumps(error).encode()
            self.send_response(refused.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def end_headers(self) -> None:
        """With it a client unpacks what is stored packed, unless it asks for the bytes as they are."""
        if self.storage.encoding:
            self.send_header("Content-Encoding", self.storage.encoding)
        super().end_headers()

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _do


class Server:
    """Cloud Storage on a port of loopback; `folder` keeps the objects, None while it runs alone."""

    def __init__(self, folder: Path | None = None) -> None:
        storage = Objects(use_memory_fs=folder is None, data_dir=str(folder) if folder else None)
        self._server = HTTPServer(("127.0.0.1", 0), partial(_Handler, storage))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _refuse_held(found: Record) -> None:
    for field, kind in (("temporaryHold", "Temporary"), ("eventBasedHold", "Event-Based")):
        if found.get(field):
            raise RefusedError(
                403,
                "forbidden",
                f"Object '{found['bucket']}/{found['name']}' is under active {kind} hold and cannot be deleted, "
                "overwritten or archived until hold is removed.",
            )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
