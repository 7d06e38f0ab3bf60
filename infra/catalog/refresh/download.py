"""A file at a public address, within bounds of time and size."""

from __future__ import annotations

from time import monotonic

import requests

from infra.catalog.refresh.answers import FeedError

CONNECT_SECONDS, READ_SECONDS, ALL_SECONDS = 10, 30, 180
CHUNK = 64 * 1024


def download(url: str, most_bytes: int) -> bytes:
    """The body at `url`. A redirect is not followed: each address is the one that docs/catalog.md names.

    Raises:
        FeedError: it was not reached, answered otherwise than 200, was too large or too slow.
    """
    try:
        with requests.get(
            url, timeout=(CONNECT_SECONDS, READ_SECONDS), stream=True, allow_redirects=False
        ) as answer:
            if answer.status_code != requests.codes.ok:
                raise FeedError(f"answered {answer.status_code}")
            return _body(answer, most_bytes)
    except requests.RequestException as error:
        raise FeedError(f"could not be reached ({type(error).__name__})") from None


def _body(answer: requests.Response, most_bytes: int) -> bytes:
    begun, body = monotonic(), bytearray()
    for chunk in answer.iter_content(CHUNK):
        body += chunk
        if len(body) > most_bytes:
            raise FeedError(f"sent more than {most_bytes >> 20} MiB")
        if monotonic() - begun > ALL_SECONDS:
            raise FeedError(f"took more than {ALL_SECONDS} seconds")
    return bytes(body)
