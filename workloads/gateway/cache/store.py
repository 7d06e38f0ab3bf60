"""Redis, as the cache uses it: each call ends within a set time, and one that fails is a miss.

Only erasing raises: whoever asks for it must know whether it was done.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from . import metrics
from .keys import PREFIX, Question, erased_key, lock_key
from .options import Options

T = TypeVar("T")

CONNECTIONS = 64
# For how long after an erasure nothing about its principal or revision is kept: an answer that was on its way when it
# was erased would come back. Answers that took longer than that are not kept either.
ERASED_SECONDS = 3600
ERASE_TIMEOUT_SECONDS = 60.0
SCAN_COUNT = 1000

# Kept unless erased meanwhile, in one step. KEYS: the entry, what says that it was erased. ARGV: the entry, its life.
_PUT = """
if redis.call('EXISTS', KEYS[2], KEYS[3]) > 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""
# Only the lock's own holder renews it or lets it go. ARGV: the holder, and milliseconds.
_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
_UNLOCK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
# A poisoned entry goes, but not a right one that another process has just put there.
_DROP = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class StoreError(Exception):
    """Redis could not be asked, or was not asked because it had just failed."""


class Store:
    """Entries, locks and erasures in Redis."""

    def __init__(self, options: Options) -> None:
        self._options = options
        pool = BlockingConnectionPool.from_url(
            options.redis,
            password=options.redis_password,
            max_connections=CONNECTIONS,
            # Each call has its time here, for all that it does: those of the client besides double what a call costs.
            timeout=None,
            socket_timeout=None,
            socket_connect_timeout=None,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._redis = Redis(connection_pool=pool)
        self._rests_until = 0.0

    async def get(self, key: str) -> bytes | None:
        """The entry of a key."""
        return await self._tried("get", lambda: self._redis.get(key), None)

    async def put(self, question: Question, entry: bytes) -> bool:
        """Keep an entry for the question's life. False where it was erased meanwhile, or Redis failed."""
        keys = (question.key, *question.erased)
        put = await self._tried(
            "put", lambda: self._redis.eval(_PUT, len(keys), *keys, entry, question.life), -1
        )
        if put == 0:
            metrics.unstored.labels("erased").inc()
        return put == 1

    async def drop(self, key: str, entry: bytes) -> None:
        """Delete an entry, if it is still this one."""
        await self._tried("drop", lambda: self._redis.eval(_DROP, 1, key, entry), None)

    async def lock(self, key: str) -> str | None:
        """Be the only process that gets the answer. None where another one is. Where Redis fails everyone is."""
        holder, milliseconds = secrets.token_hex(8), int(1000 * self._options.lock_seconds)
        try:
            taken = await self._call(
                "lock", lambda: self._redis.set(lock_key(key), holder, nx=True, px=milliseconds)
            )
        except StoreError:
            return ""
        return holder if taken else None

    async def renew(self, key: str, holder: str) -> None:
        """Hold a lock for another `lock_seconds`."""
        milliseconds = int(1000 * self._options.lock_seconds)
        await self._tried(
            "renew", lambda: self._redis.eval(_RENEW, 1, lock_key(key), holder, milliseconds), None
        )

    async def unlock(self, key: str, holder: str) -> None:
        """Let a lock go."""
        await self._tried("unlock", lambda: self._redis.eval(_UNLOCK, 1, lock_key(key), holder), None)

    async def erase(self, pattern: str, tag: str) -> int:
        """Erase all entries whose key fits, and keep none with that `tag` for a while. Says how many there were.

        Raises StoreError where Redis fails: then some may be left.
        """
        try:
            async with asyncio.timeout(ERASE_TIMEOUT_SECONDS):
                await self._redis.set(erased_key(tag), b"", ex=ERASED_SECONDS)
                return sum([await self._redis.unlink(*keys) async for keys in self._scanned(pattern)])
        except (RedisError, OSError, TimeoutError) as error:
            metrics.redis_errors.labels("erase").inc()
            raise StoreError(f"Redis: {error or type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _scanned(self, pattern: str) -> AsyncIterator[Sequence[bytes | str]]:
        cursor = 0
        while True:
            cursor, keys = await self._redis.scan(cursor, match=pattern, count=SCAN_COUNT)
            if keys:
                yield keys
            if not cursor:
                return

    async def _tried(self, operation: str, call: Callable[[], Awaitable[Any]], otherwise: T) -> Any | T:
        try:
            return await self._call(operation, call)
        except StoreError:
            return otherwise

    async def _call(self, operation: str, call: Callable[[], Awaitable[Any]]) -> Any:
        if time.monotonic() < self._rests_until:
            raise StoreError("Redis has just failed")
        try:
            async with asyncio.timeout(self._options.redis_seconds):
                return await call()
        except (RedisError, OSError, TimeoutError) as error:
            self._rests_until = time.monotonic() + self._options.redis_rest_seconds
            metrics.redis_errors.labels(operation).inc()
            raise StoreError(f"Redis: {error or type(error).__name__}") from error


def entries_of_principal(tag: str, tenant: str = "*") -> str:
    """The pattern of a data principal's entries, of one tenant or of all."""
    return f"{PREFIX}:{tenant}:*:{tag}:*"


def entries_of_model(tag: str) -> str:
    """The pattern of a model revision's entries."""
    return f"{PREFIX}:*:{tag}:*:*"
