"""The pages of the controls are what the controls say."""

from __future__ import annotations

from policies.pack import CONTROLS
from policies.reports import control_pages as pages


def test_the_pages_are_those_of_the_controls() -> None:
    written = {file.name: file.read_text() for file in pages.FOLDER.glob("*.md")}
    assert written == pages.pages(), "python -m policies.cli generate"


def test_every_control_says_what_it_checks() -> None:
    for control in CONTROLS:
        for check in filter(None, (control.check, control.stack_check)):
            assert check.__doc__, control.id


def test_every_control_of_the_catalogue_says_why_it_is_there() -> None:
    assert pages.why().keys() == {control.id for control in pages.PAGES}
    for sentence in pages.why().values():
        assert 30 < len(sentence) < 200 and sentence.endswith(".")


def test_a_page_of_a_control_that_has_gone_goes(tmp_path) -> None:
    (tmp_path / "dpdp-old-01.md").write_text("old")
    pages.write(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == set(pages.pages())
