"""What a phrase says: places, hosts, references, stores and models, each by one of its words."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from policies.readers import locations
from policies.readers.values.hosts import Host, addressed, country_of, host, hosts_in, is_inside
from policies.readers.values.models import geography_of
from policies.readers.values.places import INDIA, Place, place, places_in, says_no_place
from policies.readers.values.stores import (
    SOFTWARE,
    Store,
    may_hold_a_store,
    place_of,
    store_in,
)
from policies.readers.values.texts import (
    Piece,
    is_sql,
    tokens,
)

Kind = Literal["place", "reference", "host", "store", "model"]
# What begins so is a command, however plain its words are: `aws configure set region us-west-2`.
_TOOLS = frozenset(
    {"aws", "az", "bq", "doctl", "export", "gcloud", "gsutil", "helm", "kubectl", "oci", "set", "sudo"}
)
# Remotes of rclone and restic, by the name of a store that has no Indian region.
_REMOTE = re.compile(r"(?:b2|backblaze|wasabi|dropbox|gdrive|onedrive|storj|pcloud|mega|box):[\w./-]")
_ADDRESS_KEY = re.compile(
    r"ur[il]s?$|hosts?$|endpoints?$|address(?:es)?$|servers?$|brokers?$|dsn$|bootstrap|mirror|sink|webhook",
    re.IGNORECASE,
)
_ACCOUNT_KEY = re.compile(r"account(?:_?(?:name|identifier|locator|id|url))?s?$", re.IGNORECASE)
_OF_SNOWFLAKE = re.compile(r"snow(?:flake|sql)", re.IGNORECASE)
_LOCATOR = re.compile(r"(?!.*snowflakecomputing)[A-Za-z]\w+(?:[.-]\w+){0,5}")
_LONGEST_WORD = 256
_PLAIN_WORD = re.compile(r"[\w-]+")
_PROSE = re.compile(r"[A-Za-z][a-z']*[.,:;!?]?")


class Said(NamedTuple):
    """What one word of a phrase says."""

    kind: Kind
    word: str
    place: Place | None
    host: Host | None = None
    store: Store | None = None
    fetched: str = ""  # the URL of a program or an archive, which a command may only fetch


def said_in(type_: str, piece: Piece, about: tuple[str, ...]) -> Iterator[Said]:
    """What a phrase says. A word that is a place or a store by itself says nothing else."""
    whole = piece.text.strip()
    if len(whole) < 2 or says_nothing(whole, piece.keys):
        return
    if locator := _of_snowflake(whole, type_, piece):
        yield Said("host", locator.name, locator.place, locator)
        return
    if "://" not in whole and (found := place(whole, piece.key)):
        yield Said("place", piece.text, found)
        return
    words = tokens(whole)
    is_one = words == [whole]  # which is no place
    prose = not is_one and (_is_prose(whole) or is_sql(whole))
    for word in words:
        if not (prose or is_one) and (found := place(word, piece.key)):
            yield Said("place", word, found)
        elif store := store_in(word, type_, about, alone=len(words) == 1):
            yield Said("store", word, place_of(store, word), store=store)
        else:
            yield from _of_word(word, prose, piece.key)


def says_nothing(text: str, keys: tuple[str, ...]) -> bool:
    """Whether a text is a plain word that is no place and, below these keys, no store: most words are."""
    if len(text) > _LONGEST_WORD or not _PLAIN_WORD.fullmatch(text):
        return False
    return says_no_place(text) and not _may_hold(keys)


def _may_hold(keys: tuple[str, ...]) -> bool:
    """Whether a word below these keys may be a store. What is below a name of several is named by it."""
    return any(map(may_hold_a_store, (keys, keys[:-1])))


def _of_snowflake(word: str, type_: str, piece: Piece) -> Host | None:
    """The host that an account of Snowflake is told by: `xy12345.ap-south-1.aws` has its region in it, `xy12345` and
    `org-account` have none."""
    if not _ACCOUNT_KEY.search(piece.key) or not _LOCATOR.fullmatch(word):
        return None
    if not ("snowflake:" in f"{type_}:" or _OF_SNOWFLAKE.search(".".join(piece.keys[-3:]))):
        return None
    return host(f"{word.lower()}.snowflakecomputing.com")


def _of_word(word: str, prose: bool, key: str) -> Iterator[Said]:
    if len(word) < 4:
        return
    if "." in word and (geography := geography_of(word)):
        yield Said("model", word, Place(geography, INDIA if geography == "in" else "GLOBAL"))
        if not word.startswith("arn:"):
            return
    if (reference := locations.arn(word)) and reference.region not in ("", "*"):
        yield Said("reference", word, place(reference.region) or Place(reference.region, "GLOBAL"))
        return
    # No path of a resource is longer.
    named = locations.gcp_path_place(word) if "projects/" in word and len(word) < 2048 else None
    if named not in (None, "-"):
        yield Said("reference", word, place(named, "location") or Place(named, "GLOBAL"))
        return
    if remote := _REMOTE.match(word):
        yield Said("reference", word, Place(remote[0], "GLOBAL"))
        return
    yield from _of_hosts(word, prose, key)


def _of_hosts(word: str, prose: bool, key: str) -> Iterator[Said]:
    """The hosts of a word, and the places in the rest of it."""
    urls = addressed(word)
    is_bare = len(urls) == 1 and _is_bare(word, urls[0])
    fetched = word if urls and not is_bare and word.lower().endswith(SOFTWARE) else ""
    hosts = [host(urls[0])] if is_bare else list(hosts_in(word, urls)) if urls or "." in word else []
    for one in hosts:
        at = one.place
        # A word with dots may be anything; of an address the ending says its country.
        if at is None and not one.silent and (one.name in urls or _may_be_address(word, key)):
            at = country_of(one.name)
        if not one.silent or at:
            yield Said("host", one.name, at, one, fetched=fetched)
    # A link to a page of documentation names a region in its path, and leads nowhere.
    if not prose and not is_bare and not any(one.silent for one in hosts):
        rest = functools.reduce(lambda text, one: text.replace(one.name, " "), hosts, word.lower())
        for found in places_in(rest):
            yield Said("reference", word, found, fetched=fetched)


def _is_bare(url: str, name: str) -> bool:
    """Whether a URL is a scheme and a host, and no more is in it."""
    scheme, _, rest = url.partition("://")
    return scheme.isalpha() and rest.lower() == name and not is_inside(name)


def _may_be_address(word: str, key: str) -> bool:
    """Whether a word with dots is an address by its key. Mail goes to people, wherever they are."""
    return "@" not in word and bool(_ADDRESS_KEY.search(key))


def _is_prose(text: str) -> bool:
    """Four words and more, most of them plain: a sentence, in which a place is no setting."""
    words = text.split()
    if words and words[0] in _TOOLS:
        return False
    return len(words) > 3 and sum(bool(_PROSE.fullmatch(word)) for word in words) > 0.6 * len(words)
