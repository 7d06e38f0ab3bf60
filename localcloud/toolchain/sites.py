"""The sites that publish programs: which answer, and what one answers for a file."""

from __future__ import annotations

import threading
import time
from urllib.parse import urlsplit

import requests

from localcloud.toolchain import releases
from localcloud.toolchain.waiting import Say

# Until a site counts as out of reach: a machine without a way out must not wait for each tool in turn.
SITE_SECONDS = 4
# Until a download that stands still is broken off.
SILENT_SECONDS = 20


class UnavailableError(Exception):
    """A published file that can't be had, and why; its tool is built from source."""


class NoAnswerError(UnavailableError):
    """Its site does not answer, so that nothing else of it is asked for."""


def answering(sites: set[str], say: Say) -> set[str]:
    """The sites that answer anything at all, asked once and at the same time; says once which do not."""
    answers: dict[str, str] = {}

    def ask(site: str) -> None:
        try:
            requests.head(site, timeout=SITE_SECONDS, allow_redirects=False)
            answers[site] = ""
        except requests.RequestException as error:
            answers[site] = reason(error)

    # Daemons: a resolver that never answers must not hold up the end of the program.
    threads = [threading.Thread(target=ask, args=(site,), daemon=True) for site in sites]
    deadline = time.monotonic() + SITE_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    known = dict(answers)
    silent = {site: known.get(site, "no answer") for site in sorted(sites) if known.get(site, "no answer")}
    if silent:
        reasons = ", ".join(f"{urlsplit(site).netloc} ({reason})" for site, reason in silent.items())
        say(f"out of reach from here: {reasons}. {releases.MIRROR} can name a mirror of the release sites")
    return sites - silent.keys()


def get(url: str, headers: dict[str, str]) -> requests.Response:
    """Begin a download.

    Raises:
        NoAnswerError: the site, or one that it sends on to, does not answer.
        UnavailableError: it answers with an error, or leads away from https.
    """
    headers = {"Accept-Encoding": "identity", **headers}
    try:
        answer = requests.get(url, headers=headers, stream=True, timeout=(SITE_SECONDS, SILENT_SECONDS))
    except (requests.ConnectionError, requests.Timeout) as error:
        # A release site sends on to another, which a company may not let through.
        asked = error.request.url if error.request is not None else url
        raise NoAnswerError(f"{urlsplit(str(asked)).netloc} does not answer ({reason(error)})") from None
    for step in (*answer.history, answer):
        if not releases.secure(step.url):
            raise UnavailableError(f"{url} leads to {step.url}, which is not https")
    if answer.status_code not in (
        requests.codes.ok,
        requests.codes.partial_content,
        requests.codes.requested_range_not_satisfiable,
    ):
        raise UnavailableError(f"{urlsplit(url).netloc} answers {answer.status_code} for {url}")
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise UnavailableError(
            f"{urlsplit(url).netloc} answers with a web page for {url}: a proxy, or a log-in"
        )
    return answer


def reason(error: Exception) -> str:
    """Why a request failed, in a few words."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted here; REQUESTS_CA_BUNDLE can name a company's"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refuses"
    if isinstance(error, requests.Timeout):
        return "no answer"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "too few bytes came"
    return "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__
