"""What shell commands only read: addresses that they copy or fetch from, such as a package's or a model's.

Nothing of a stack's data goes there, however foreign the place.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

_ENDS = re.compile(r"[;|&]+")
_COPIES = frozenset({"cp", "copy", "mv", "sync", "rsync"})
_LOOKS = frozenset({"ls", "cat", "presign", "stat", "du"})
_VALUED = frozenset(
    {
        "--region",
        "--profile",
        "--endpoint-url",
        "--exclude",
        "--include",
        "--acl",
        "--sse",
        "--storage-class",
        "-x",
    }
)
_UPLOADS = re.compile(r"-(?:[a-zA-Z]*[TFdX].*|-(?:upload|data|form|request|post|body|method).*)")
_INSTALLERS = frozenset({"apt", "apt-get", "apk", "dnf", "dpkg", "pip", "pip3", "rpm", "yum", "zypper"})
_TOOLS = frozenset(
    {"aws", "azcopy", "gsutil", "gcloud", "s5cmd", "rclone", "pulumi", "curl", "wget", *_INSTALLERS}
)


def only_read(text: str) -> frozenset[str]:
    """Addresses that commands in a text copy or fetch from, and that are nowhere else in it."""
    if "://" not in text:
        return frozenset()
    read = [
        address
        for line in text.splitlines()
        if "://" in line
        for command in _ENDS.split(line)
        for address in _read_by([word.strip("\"',[]()`") for word in command.split()])
    ]
    counts = Counter(read)
    return frozenset(address for address, count in counts.items() if text.count(address) == count)


def _read_by(words: list[str]) -> Iterator[str]:
    """The addresses that one command reads: all that `curl` is given, the first of two that `aws s3 cp` is."""
    tool = next((at for at, word in enumerate(words) if word.rpartition("/")[2] in _TOOLS), None)
    if tool is None:
        return
    name, rest = words[tool].rpartition("/")[2], words[tool + 1 :]
    if name in _INSTALLERS:
        yield from (word for word in rest if "://" in word)
        return
    if name in ("curl", "wget"):
        if not any(_UPLOADS.fullmatch(word) for word in rest):
            yield from (word for word in rest if "://" in word)
        return
    verb = next(
        (at for at, word in enumerate(rest) if word in _COPIES or word in _LOOKS or word == "login"), None
    )
    if verb is None:
        return
    given = _positional(rest[verb + 1 :])
    if rest[verb] in _COPIES:
        # What is copied comes first, and where to follows.
        given = given[:1] if len(given) > 1 else []
    yield from (word for word in given if "://" in word)


def _positional(words: list[str]) -> list[str]:
    """The words of a command that are neither flags nor values of flags, up to where its output is sent."""
    found = list[str]()
    for before, word in zip(["", *words], words, strict=False):
        if ">" in word or word.startswith(("#", "\\")):
            break
        if word and before not in _VALUED and (word == "-" or not word.startswith("-")):
            found.append(word)
    return found
