"""`make page`: it says what the state has and `make cost` says, in a real browser and without a network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.cost.command import as_json
from commands.page import alerts, command, month, policies
from commands.page import state as state_of
from commands.page.command import PageFileError, page
from commands.page.lineage import LineageError
from commands.page.state import NoStateError, read
from commands.stacks import settings_of
from infra.pricing.estimate import estimate
from infra.pricing.resources import Resource
from infra.pricing.rupees import format_inr
from infra.stacks import StackFileError
from policies.configuration.profiles import UnknownProfileError
from policies.runner import states
from policies.runner.states import StateFileError
from tests.browser import Browser, NoBrowserError, find
from tests.commands.page import small_state as small
from tests.commands.test_showback import OpenCost, address, allocation
from tests.examples import examples

__all__ = ["address"]

pytestmark = pytest.mark.slow

SETTINGS = settings_of(small.STACK)
LINEAGE = [
    {"model": "chat-8b", "version": "3", "run": "8f1c", "data": "41ab", "code": "70aa", "deployment": "chat"},
    {"model": "old", "deployment": "gone", "unknownField": 1},
]


class Tables(HTMLParser):
    """The tables of a page: the texts of their rows by caption; and what else is asked of a page that all can read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: dict[str, list[list[str]]] = {}
        self.headings: list[int] = []
        self.scopes: list[str | None] = []
        self._text, self._caption, self._hidden = "", "", False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._hidden = given.get("aria-hidden") == "true"
        if tag in ("caption", "td", "th"):
            self._text = ""
        if tag == "tr" and self._caption:
            self.rows[self._caption].append([])
        if tag == "th":
            self.scopes.append(given.get("scope"))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False
        if tag == "caption":
            self._caption = " ".join(self._text.split())
            self.rows[self._caption] = []
        if tag in ("td", "th"):
            self.rows[self._caption][-1].append(" ".join(self._text.split()))

    def of(self, caption: str) -> list[list[str]]:
        """The rows of the table whose caption begins so, without its heading."""
        (found,) = [rows for name, rows in self.rows.items() if name.startswith(caption)]
        return found[1:]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the small stack, as the command writes it."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "lineage.json").write_text(json.dumps(LINEAGE))
    page(state=small.written(folder), lineage_file=folder / "lineage.json", out=folder / "page.html")
    return folder / "page.html"


@pytest.fixture(scope="module")
def tables(file: Path) -> Tables:
    return Tables(file.read_text())


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    try:
        yield find(tmp_path_factory.mktemp("browser"))
    except NoBrowserError as none:
        pytest.skip(str(none))


def test_the_rupees_are_those_of_make_cost(tables: Tables) -> None:
    bill = estimate(map(Resource.of_state, small.resources()), SETTINGS.usage)
    told = as_json(small.STACK, bill, SETTINGS, [], None)
    rows = {name: figures for name, *figures in tables.of("A month by component")}
    for part in [*told["components"], {"name": "total", **told["totalInr"]}]:
        assert rows[part["name"]] == [format_inr(part[name]) for name in ("low", "expected", "high")]
    assert told["totalInr"]["expected"] > 0 and len(tables.of("Every line")) == len(told["items"])
    assert {name for name, *_ in tables.of("The same month by team")} == {
        "ml-platform",
        "network <b>team</b>",
    }


def test_an_opencost_that_is_asked_says_what_each_team_spent(address: str, tmp_path: Path) -> None:
    OpenCost.body = {
        "code": 200,
        "data": [{"fraud": allocation(1000, 1, 1), "__idle__": allocation(0, 5, 0)}],
    }
    found = month.month(read("", small.written(tmp_path)), SETTINGS, month.OpenCost(address, 3))
    table = next(one for one in month.section(found).tables if "OpenCost" in one.caption)
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["fraud", "₹1,000", "₹1", "₹1", "₹1,002"],
        ["(idle)", "₹0", "₹5", "₹0", "₹5"],
        ["all", "", "", "", "₹1,007"],
    ]
    assert OpenCost.asked["aggregate"] == ["label:owner"] and OpenCost.asked["window"] == ["3d"]


names = st.sampled_from(["", "a", "b"])


@settings(max_examples=examples(30))
@given(st.lists(st.tuples(names, names), min_size=1, max_size=6))
def test_the_teams_together_cost_what_the_stack_costs(owners: list[tuple[str, str]]) -> None:
    """Whatever is tagged: with tiers of prices and a provider's own tags, nothing is lost and nothing counted twice."""
    gateways = [
        small.resource(
            "aws:ec2/natGateway:NatGateway",
            f"nat{at}",
            {"tags": {"owner": own, "dpdp:owner": data}},
            small.AWS,
        )
        for at, (own, data) in enumerate(owners)
    ]
    found = [Resource.of_state(one) for one in [*small.resources(), *gateways]]
    whole = estimate(found, SETTINGS.usage)
    parts = estimate(found, SETTINGS.usage, month.owner_or("nobody"))
    assert parts.total.expected == pytest.approx(whole.total.expected)
    named = {own or data or "ml-platform" for own, data in owners}
    # A pool of Karpenter's is an object of Kubernetes, and its provider says no owner.
    assert set(parts.components) == named | {"ml-platform", "network <b>team</b>", "nobody"}


def test_what_stands_is_counted_where_it_is(tables: Tables, file: Path) -> None:
    heading, *_ = next(rows for name, rows in tables.rows.items() if name.startswith("Resources by kind"))
    assert heading == [
        "kind",
        "Mumbai (AWS, ap-south-1)",
        "Mumbai (Google Cloud, asia-south1)",
        "us-east-1 (no region of India)",
    ]
    rows = {name: counts for name, *counts in tables.of("Resources by kind")}
    assert rows["clusters"] == ["1", "1", "0"]
    assert rows["workloads"] == ["3", "0", "0"]
    assert rows["in all"] == ["15", "4", "1"]
    assert "network &lt;b&gt;team&lt;/b&gt;" in file.read_text()


def test_pools_queues_models_and_their_lineage(tables: Tables) -> None:
    (pool,) = tables.of("Pools")
    assert pool[:7] == [
        "serve",
        "Mumbai (AWS, ap-south-1)",
        "g6.xlarge",
        "1 × L4",
        "spot",
        "0 … 3 … 4",
        "0 … 3 … 4",
    ]
    assert tables.of("Queues") == [["gpus", "serve", "nvidia.com/gpu", "4", "team-a"]]
    assert tables.of("What serves and trains") == [
        ["team-a/chat", "serves", "chat-8b", "serve", "2", "2", "s3://lake-models/chat", "vllm:1"],
        ["team-a/tune", "runs to its end", "tiny", "serve", "1", "1", "s3://lake-curated/text", "trainer:1"],
    ]
    assert tables.of("Lineage") == [
        ["chat-8b 3", "none", "8f1c", "41ab", "70aa", "chat, which stands"],
        ["old", "none", "not said", "not said", "not said", "gone, which this stack has not"],
    ]


def test_who_hears_of_what_and_what_nobody_hears_is_first(tables: Tables, tmp_path: Path) -> None:
    assert [row[:4] for row in tables.of("Rules, and who hears")] == [
        ["Quiet", "info", "XID <value> on GPU <gpu>", "nobody"],
        ["GpuXidCritical", "critical", "XID <value> on GPU <gpu>", "a@b.in"],
        ["audit-keys", "critical", "A key of <key_id> goes.", "c@d.in"],
        ["spot", "", "Alerts: spot", "a@b.in"],
        ["spend", "", "of 100.5 USD a month", "a@b.in"],
        ["gcp-spend", "", "of 9000 INR a month", "c@d.in"],
    ]
    assert [row[5] for row in tables.of("Rules, and who hears")][-2:] == [
        "actual 80 %, forecasted 100 %",
        "50 %",
    ]
    deaf = [one for one in small.resources() if not one["urn"].endswith("::mail")]
    heard = [one.rule for one in alerts.alerts(read("", small.written(tmp_path, deaf))) if one.people]
    assert heard == ["spend"]  # AWS Budgets mails by itself


def test_findings_and_the_law_that_asks(tables: Tables) -> None:
    found = {(control, name) for _, control, name, *_ in tables.of("Findings")}
    assert ("DPDP-RES-01", "abroad") in found
    law = {name: row for name, *row in tables.of("Evidence by section of the law")}
    assert "erases personal data" in law["DPDP Act s.8(7)"][0]
    assert all(statuses and controls for _, _, statuses, controls in law.values())
    assert len(tables.of("All ")) > len(law)


def secret(name: str, value: Any) -> dict[str, Any]:
    return small.resource(
        "kubernetes:core/v1:Secret", name, {"metadata": {"name": name}, "stringData": value}, small.K8S
    )


def test_secrets_that_a_state_hides_are_said_once_and_are_no_violations(
    tables: Tables, tmp_path: Path
) -> None:
    hidden = {states.SIGNATURE: states.SECRET, "ciphertext": "v1:abc"}
    resources = [*small.resources(), secret("one", hidden), secret("two", {"password": hidden})]
    page(state=small.written(tmp_path, resources), out=tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert text.count("Not judged: 2 resources whose values are secret in this export") == 1
    assert "; 2 resources not judged" in text and "v1:abc" not in text
    assert Tables(text).of("Findings") == tables.of("Findings")
    status = {control: status for control, _, status, *_ in Tables(text).of("All ")}
    assert status["DPDP-K8S-01"] == "not judged"


def test_secrets_in_the_clear_are_judged_and_are_not_on_the_page(tmp_path: Path) -> None:
    def clear(value: Any) -> dict[str, Any]:
        return {states.SIGNATURE: states.SECRET, "plaintext": json.dumps(value)}

    values = {"password": "correct-horse-battery", "HOST": "xy12345.us-east-1.snowflakecomputing.com"}
    # Findings name a host by its value, but not where it is a secret.
    hosts = {"metadata": {"name": "hosts"}, "data": clear(values)}
    # The alerts show to whom mail goes.
    mail = {"topic": small.TOPIC, "endpoint": clear("nobody.knows@b.in")}
    also = small.resource("aws:sns/topicSubscription:TopicSubscription", "also", mail, small.AWS)
    host = small.resource("kubernetes:core/v1:ConfigMap", "hosts", hosts, small.K8S)
    resources = [*small.resources(), also, host, secret("db", clear(values))]
    page(state=small.written(tmp_path, resources), out=tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    found = {(row[1], row[2]) for row in Tables(text).of("Findings")}
    assert {("DPDP-K8S-01", "db"), ("DPDP-K8S-01", "hosts")} <= found
    assert "ot judged" not in text and text.count("(secret) is of Snowflake") == 1
    assert not [value for value in (*values.values(), "nobody.knows", "plaintext") if value in text]


def test_the_engine_opens_the_secrets_of_a_stack_that_stands_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked only where there are some: it takes seconds. The real one is in tests/e2e/test_page.py."""
    monkeypatch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path))
    asked: list[str] = []

    class Engine:
        def __init__(self, stack: str, _environment: Mapping[str, str]) -> None:
            asked.append(stack)

        def exported(self) -> dict[str, Any]:
            opened = {states.SIGNATURE: states.SECRET, "plaintext": '{"password": "correct-horse-battery"}'}
            return {"deployment": {"resources": [secret("db", opened)]}}

    monkeypatch.setattr(state_of, "Stack", Engine)
    file = tmp_path / "state" / ".pulumi" / "stacks" / "india-ai-infra" / "prod.json"
    file.parent.mkdir(parents=True)
    file.write_text(small.written(tmp_path).read_text())
    assert read("prod", None).judged == read("prod", None).resources and asked == []
    hidden = {states.SIGNATURE: states.SECRET, "ciphertext": "v1:abc"}
    file.write_text(small.written(tmp_path, [*small.resources(), secret("db", hidden)]).read_text())
    found = read("prod", None)
    assert asked == ["prod"] and "correct-horse" in json.dumps(found.judged)
    assert "correct-horse" not in json.dumps(found.resources) + repr(found)
    assert policies.judge(found, "default").record.not_judged == ""


def test_a_browser_lays_it_out_on_a_phone_and_a_desk_and_asks_for_nothing(
    file: Path, browser: Browser, tmp_path: Path
) -> None:
    for width in (360, 1280):
        seen = browser.laid_out(file, width)
        assert seen.wide <= width, f"a phone would scroll sideways at {width} px"
        assert seen.high > 1000 and seen.asked == 0
    assert browser.colours(browser.picture(file, tmp_path / "page.png")) > 50, "the page is blank"
    bill = estimate(map(Resource.of_state, small.resources()), SETTINGS.usage)
    assert format_inr(bill.total.expected * SETTINGS.currency.usd_inr) in browser.text(file)


def test_it_needs_nothing_from_outside_and_runs_nothing(file: Path) -> None:
    text = file.read_text()
    assert not re.search(r"https?:|src=|<script|<link|@import|url\(|href=\"[^#]", text)
    assert "default-src 'none'" in text


def test_all_can_read_it(file: Path, tables: Tables) -> None:
    text = file.read_text()
    assert '<html lang="en">' in text and text.count("<table") == text.count("<caption") == len(tables.rows)
    assert tables.headings[0] == 1 and set(tables.headings[1:]) == {2}
    assert set(tables.scopes) == {"col", "row"}
    for theme in re.findall(r":root \{([^}]*)\}", text)[:2]:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", theme))
        for ink in ("ink", "faint", "link", "good", "warn", "bad"):
            assert contrast(colours[ink], colours["paper"]) >= 4.5, f"{ink} is hard to read (WCAG 1.4.3)"
            assert contrast(colours[ink], colours["raised"]) >= 4.5


def contrast(ink: str, paper: str) -> float:
    """The contrast of two colours, as WCAG 2.2 defines it."""
    dark, light = sorted((luminance(ink), luminance(paper)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_a_wrong_input_ends_in_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path))
    with pytest.raises(
        NoStateError, match="local has no state on the local cloud: `make up STACK=local`, or give"
    ):
        page()
    with pytest.raises(
        StackFileError, match="no stack prd; stacks are demo, dev, local, prod; the nearest is prod"
    ):
        page(stack="prd")
    with pytest.raises(NoStateError, match=r"nothing of .*stack\.json stands"):
        page(state=small.written(tmp_path, small.resources()[:1]))
    (tmp_path / "junk.json").write_text('{"steps": []}')
    with pytest.raises(StateFileError, match=r"junk\.json is no state of a stack"):
        page(state=tmp_path / "junk.json")
    with pytest.raises(LineageError, match=r"junk\.json: the whole file: .*needed is a list in JSON"):
        page(lineage_file=tmp_path / "junk.json")
    with pytest.raises(LineageError, match=r"none\.json: it can't be read"):
        page(lineage_file=tmp_path / "none.json")
    with pytest.raises(UnknownProfileError, match="the nearest is sebi-re"):
        page(profile="sebi")
    with pytest.raises(PageFileError, match="can't be written"):
        command.write("", tmp_path / "junk.json" / "page.html")


def test_a_page_is_written_whole_or_the_old_one_stays(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    command.write("old", file)
    with pytest.raises(UnicodeEncodeError):
        command.write("new \ud800", file)
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]
