"""The tables of facts in `policies/data`: well formed, without contradictions, and true of the installed SDKs."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from fnmatch import fnmatch
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from policies.readers import locations
from policies.readers.tables import DATA
from policies.readers.values import hosts
from tests.policies import provider_blocks

TABLES = {
    "services.csv": ("name",),
    "no_destination_hosts.csv": ("host",),
    "silent_defaults.csv": ("type", "property", "when", "only_if"),
    "places.csv": ("word", "provider"),
}
LEAST = {"services.csv": 300, "no_destination_hosts.csv": 60, "silent_defaults.csv": 60, "places.csv": 600}
SEVERAL = (
    "hosts",
    "indian_hosts",
    "keys",
    "addresses",
    "indian_values",
    "offline",
    "charts",
    "images",
    "exporters",
)
NO_COUNTRY = {"MULTI", "GLOBAL", "EU"}
HOST = re.compile(r"[a-z0-9*]([a-z0-9*-]*[a-z0-9*])?(\.[a-z0-9*]([a-z0-9*-]*[a-z0-9*])?)*")
VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
SETTING = re.compile(r"[A-Za-z][A-Za-z0-9_]*=\S+")
CONDITION = re.compile(r'[\w."/\[\]]+( present| absent|!?=[\w./|-]+)')
WHEN = re.compile(r"absent|present|always|equals:.+|lacks:.+")
# First labels of hosts below a service's own that serve pages, downloads, time or tokens, or are no hosts.
PAGES = {
    *(
        "docs",
        "developer",
        "developers",
        "platform",
        "charts",
        "helm",
        "helm-charts",
        "ad",
        "admission",
        "tags",
    ),
    *("time", "samay1", "samay2", "oidc", "cdnjs", "indiacode", "openaipublic", "grype"),
}
# ISO 3166-1 alpha-2, as far as clouds have regions there, so that a slip of the pen is seen.
COUNTRIES = (
    " AE AR AT AU BE BH BR CA CH CL CN CO CZ DE DK EE ES FI FR GB GR HK ID IE IL IN IS IT JP KR MA MX MY NG NL NO NZ "
    "OM PE PH PL QA RO RS SA SE SG TH TR TW US VN ZA "
)


@cache
def table(name: str) -> list[dict[str, str]]:
    """The rows of a table; the last line of comments names its columns."""
    lines = (DATA / name).read_text().splitlines()
    columns = [line for line in lines if line.startswith("#")][-1].removeprefix("# ").split(",")
    rows = list(csv.reader(line for line in lines if not line.startswith("#")))
    assert {len(row) for row in rows} == {len(columns)}, name
    return [dict(zip(columns, row, strict=True)) for row in rows]


def several(cell: str) -> list[str]:
    return [value for value in cell.split("|") if value]


def covers(suffix: str, host: str) -> bool:
    return fnmatch(host, suffix) or fnmatch(host, f"*.{suffix}")


@pytest.mark.parametrize("name", TABLES)
def test_each_row_has_a_key_a_source_and_a_date(name: str):
    rows = table(name)
    keys = [tuple(row[column] for column in TABLES[name]) for row in rows]
    assert len(rows) >= LEAST[name]
    assert len(set(keys)) == len(keys)
    assert all(key[0] for key in keys)
    for row in rows:
        assert row["source"].strip(), row
        assert date(2026, 1, 1) <= date.fromisoformat(row["date"]), row
        assert all(value == value.strip() for value in row.values()), row


@pytest.mark.parametrize("name", ["services.csv", "places.csv"])
def test_countries_are_iso_codes(name: str):
    for row in table(name):
        for country in several(row["country"]):
            assert country in NO_COUNTRY or f" {country} " in COUNTRIES, row


def test_cells_of_services_are_lists_without_repeats():
    for row in table("services.csv"):
        for column in SEVERAL:
            values = several(row[column])
            assert "|".join(values) == row[column], (row["name"], column)
            assert len(set(values)) == len(values), (row["name"], column)


def test_services_use_words_of_closed_lists():
    for row in table("services.csv"):
        assert row["indian"] in {"none", "by-host", "by-setting", "yes"}, row
        assert row["certainty"] in {"documented", "known"}, row
        assert row["category"] and row["country"] and row["hosts"], row
        assert (row["certainty"] == "known") <= ("documented" not in row["source"]), row


def test_enough_services_are_documented():
    assert sum(row["certainty"] == "documented" for row in table("services.csv")) >= 60


def test_hosts_and_variables_have_their_shapes():
    for row in table("services.csv"):
        for host in several(row["hosts"]) + several(row["indian_hosts"]) + several(row["default_host"]):
            assert HOST.fullmatch(host) and "." in host, (row["name"], host)
        for variable in several(row["keys"]) + several(row["addresses"]):
            assert VARIABLE.fullmatch(variable), (row["name"], variable)
        for setting in several(row["indian_values"]) + several(row["offline"]):
            assert SETTING.fullmatch(setting), (row["name"], setting)
        for exporter in several(row["exporters"]):
            assert re.fullmatch(r"(otel|vector|fluentbit|fluentd|logstash|docker):[\w-]+", exporter), row[
                "name"
            ]


@pytest.mark.parametrize("column", ["hosts", "keys", "charts", "images", "exporters"])
def test_what_marks_a_service_marks_no_other(column: str):
    owners = defaultdict(set)
    for row in table("services.csv"):
        for value in several(row[column]):
            owners[value].add(row["name"])
    assert {value: names for value, names in owners.items() if len(names) > 1} == {}


def test_indian_hosts_and_default_hosts_are_of_the_service():
    for row in table("services.csv"):
        for host in several(row["indian_hosts"]) + several(row["default_host"]):
            assert any(covers(suffix, host) for suffix in several(row["hosts"])), (row["name"], host)


def test_the_column_indian_agrees_with_hosts_and_settings():
    for row in table("services.csv"):
        said = row["indian_hosts"] or row["indian_values"]
        if row["indian"] == "none":
            assert not said and "IN" not in several(row["country"]), row["name"]
        if row["indian"] == "by-host":
            assert row["indian_hosts"], row["name"]
        if row["indian"] == "yes":
            assert row["country"] == "IN", row["name"]


def test_the_default_host_is_not_called_indian():
    """Else a key alone would be clean, or the row is wrong."""
    for row in table("services.csv"):
        if row["default_host"] and row["indian"] != "yes" and row["country"] != "IN":
            assert not any(covers(host, row["default_host"]) for host in several(row["indian_hosts"])), row


def test_a_setting_that_chooses_india_is_one_of_the_addresses():
    for row in table("services.csv"):
        for setting in several(row["indian_values"]):
            assert setting.partition("=")[0] in several(row["addresses"]), (row["name"], setting)


def test_a_host_that_takes_no_data_is_no_host_of_a_service():
    taken = {host for row in table("services.csv") for host in several(row["hosts"])}
    for row in table("no_destination_hosts.csv"):
        assert row["host"] not in taken, row["host"]
        assert row["match"] in {"suffix", "exact"} and row["reason"] and row["kind"]
        assert HOST.fullmatch(row["host"]) and "*" not in row["host"], row["host"]


def test_only_pages_and_names_are_carved_out_of_a_services_hosts():
    """A longer suffix wins, so a slip here would silence a service."""
    services = table("services.csv")
    suffixes = {host for row in services for host in several(row["hosts"])}
    patterns = {suffix for suffix in suffixes if "*" in suffix}
    ends = {host for row in services for host in [row["default_host"], *several(row["indian_hosts"])]}
    for row in table("no_destination_hosts.csv"):
        labels = row["host"].split(".")
        above = {".".join(labels[at:]) for at in range(len(labels))}
        if above & suffixes or any(covers(pattern, row["host"]) for pattern in patterns):
            assert row["host"].split(".")[0] in PAGES, row
            assert row["host"] not in ends, row


def test_a_host_that_takes_no_data_names_no_foreign_place():
    foreign = {r["word"] for r in table("places.csv") if r["ambiguous"] == "false" and r["country"] != "IN"}
    assert [r["host"] for r in table("no_destination_hosts.csv") if foreign & set(r["host"].split("."))] == []


def test_the_reader_takes_hosts_as_the_tables_say():
    for row in table("services.csv"):
        for name in several(row["indian_hosts"]):
            read = hosts.host(name.replace("*", "x"))
            if read.place is None:
                assert read.service is not None and read.service.country == "IN", (row["name"], name)
            else:
                assert read.place.is_india, (row["name"], name)
        for name in [*several(row["default_host"]), *(f"acme.{one}" for one in several(row["hosts"]))]:
            read = hosts.host(name.replace("*", "x"))
            assert read.service is not None and read.service.name == row["name"], (row["name"], name)
            assert not read.silent
    for row in table("no_destination_hosts.csv"):
        assert hosts.host(row["host"]).silent, row["host"]


def test_words_are_lower_case_with_hyphens():
    for row in table("places.csv"):
        assert re.fullmatch(r"[a-z0-9.-]+", row["word"]), row
        assert row["ambiguous"] in {"true", "false"}, row


def test_short_and_everyday_words_are_ambiguous():
    rows = table("places.csv")
    plain = {"us", "eu", "in", "del", "global", "asia", "oregon", "mumbai", "singapore", "europe", "uk"}
    assert plain <= {row["word"] for row in rows}
    for row in rows:
        if row["word"] in plain or len(row["word"]) < 4:
            assert row["ambiguous"] == "true", row


def test_a_word_that_is_india_for_some_is_india_for_all_or_ambiguous():
    countries, ambiguous = defaultdict(set), defaultdict(set)
    for row in table("places.csv"):
        countries[row["word"]].add(row["country"])
        ambiguous[row["word"]].add(row["ambiguous"])
    for word, where in countries.items():
        if "IN" in where and len(where) > 1:
            assert ambiguous[word] == {"true"}, (word, where)


def test_indias_words_agree_with_the_places_of_the_pack():
    aws = {row["word"]: row["country"] for row in table("places.csv") if row["provider"] == "AWS"}
    google = {row["word"]: row["country"] for row in table("places.csv") if row["provider"] == "Google"}
    for word in [*locations.AWS_REGIONS, *locations.AWS_LOCAL_ZONES]:
        assert aws.pop(word) == "IN", word
    for prefix in ("aps1", "aps2"):
        assert aws.pop(prefix) == "IN"
    for word in [*locations.GCP_REGIONS, *locations.GCP_PAIRS]:
        assert google.pop(word) == "IN", word
    assert "IN" not in {*aws.values(), *google.values()}


def test_foreign_regions_are_no_indian_place():
    for row in table("places.csv"):
        if row["provider"] in {"AWS", "Google", "Oracle"} and row["country"] != "IN":
            assert locations.place(row["word"]) is None, row


def test_every_region_of_the_installed_botocore_is_a_word():
    root = find_spec("botocore")
    assert root is not None and root.origin is not None
    text = (Path(root.origin).parent / "data" / "endpoints.json").read_text()
    found = set(re.findall(r'"([a-z]{2,4}(?:-[a-z]+)+-\d)" : \{\s*"description"', text))
    assert len(found) > 30
    assert found <= {row["word"] for row in table("places.csv") if row["provider"] == "AWS"}


def test_silent_defaults_use_words_of_closed_lists():
    words = {row["word"] for row in table("places.csv")} | {"GLOBAL", "MULTI", "UNKNOWN"}
    for row in table("silent_defaults.csv"):
        assert WHEN.fullmatch(row["when"]), row
        assert (row["when"] == "always") == (row["property"] == ""), row
        assert row["place"] in words or row["place"].lower() in words, row
        assert row["soft"] in {"true", "false"} and row["does"] and row["expected"], row
        assert row["certainty"] in {"documented", "known"}, row
        for condition in filter(None, row["only_if"].split(" & ")):
            assert CONDITION.fullmatch(condition), (row["type"], condition)


@pytest.mark.slow
def test_types_and_properties_of_silent_defaults_are_in_the_installed_sdks():
    checked = 0
    for row in table("silent_defaults.csv"):
        if row["type"].partition(":")[0] not in {"aws", "gcp"}:
            continue
        checked += 1
        assert row["type"] in _types(), row["type"]
        for path in _paths_of(row):
            assert _exists(row["type"], path.split(".")), (row["type"], path)
    assert checked >= 60


@pytest.mark.slow
def test_a_property_that_is_required_is_never_absent():
    """A row for a property that the SDK insists on could never apply."""
    for row in table("silent_defaults.csv"):
        if row["when"] == "absent" and row["type"] in _types() and "." not in row["property"]:
            annotation = _types()[row["type"]][1][row["property"]]
            assert "Optional" in annotation, (row["type"], row["property"], annotation)


def _paths_of(row: dict[str, str]) -> Iterator[str]:
    if row["property"] and not row["property"].startswith("config.params."):
        yield row["property"]
    for condition in filter(None, row["only_if"].split(" & ")):
        yield re.split(r"!?=| ", condition)[0]


@cache
def _types() -> dict[str, tuple[str, dict[str, str]]]:
    """Package and module of each resource type, and its inputs with their annotations."""
    return {
        token: (f"{package}/{module}", dict(inputs))
        for package in ("pulumi_aws", "pulumi_gcp")
        for token, module, inputs in provider_blocks.resources(package)
    }


@cache
def _blocks(module: str) -> dict[str, dict[str, str]]:
    """The nested inputs of a module, by the name of their class."""
    package, name = module.split("/")
    root = find_spec(package)
    assert root is not None and root.origin is not None
    file = Path(root.origin).parent / name / "_inputs.py"
    texts = re.split(r"\n(?=class )", file.read_text())[1:] if file.exists() else []
    return {text[6:].split("(")[0].split(":")[0]: dict(_getters(text)) for text in texts}


def _getters(text: str) -> Iterator[tuple[str, str]]:
    for found in provider_blocks._GETTER.finditer(text):
        yield found[1] or found[2], found[3]


def _exists(token: str, path: list[str]) -> bool:
    module, inputs = _types()[token]
    for name in path:
        if name not in inputs:
            return False
        classes = re.findall(r"'(?:\w+\.)*(\w+Args)'", inputs[name])
        inputs = _blocks(module).get(classes[0], {}) if classes else {}
    return True
