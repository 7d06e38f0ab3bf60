"""A trace: what a team asks of its GPUs, hour by hour. A CSV file; every wrong cell is named at once.

    at_hours,kind,name,pool,pods,gpus,hours,checkpoint_minutes
    9.5,job,finetune,train,2,4,6,30        at 9:30 on Monday: 2 pods of 4 GPUs each, for 6 hours of work
    9,replicas,chat,serve,3,1,,            from 9:00 on, `chat` has 3 replicas of 1 GPU each

Hours count from Monday 00:00 IST. The pods of a job work together: it runs while all of them do. `pool` may name
several (`batch|train`): the first that the design has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)
from pydantic import field_validator as validator

from commands.simulate.design import Design, gpus_of
from infra.settings.errors import Problem, problems_of, refuse
from infra.settings.fields import DnsLabel
from infra.settings.pools import GpuPool
from infra.spelling import nearest

COLUMNS = ("at_hours", "kind", "name", "pool", "pods", "gpus", "hours", "checkpoint_minutes")


class TraceError(ValueError):
    """Everything that is wrong with a trace: file, line and column, what was given and what is allowed."""

    def __init__(self, file: Path, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} {'cell is' if len(self.problems) == 1 else 'cells are'} wrong"
        super().__init__("\n".join([f"{file}: {count}; nothing was started", *map(str, self.problems)]))


def _finite(number: float) -> float:
    if number in (float("inf"), float("-inf")) or number != number:
        raise refuse("a number of hours or minutes")
    return number


def _none_if_blank(cell: object) -> object:
    return None if cell == "" else cell


Amount = Annotated[float, AfterValidator(_finite)]


class Row(BaseModel):
    """A line of a trace. A job without `checkpoint_minutes` has no checkpoints: it starts from nothing again."""

    model_config = ConfigDict(frozen=True)

    line: int = 0
    at_hours: Amount = Field(ge=0)
    kind: Literal["job", "replicas"]
    name: DnsLabel
    pool: str = Field(min_length=1)
    pods: int = Field(ge=0)
    gpus: int = Field(ge=1)
    hours: Annotated[Amount | None, BeforeValidator(_none_if_blank)] = Field(
        default=None, gt=0, validate_default=True
    )
    checkpoint_minutes: Annotated[Amount | None, BeforeValidator(_none_if_blank)] = Field(default=None, gt=0)

    @validator("pods")
    @classmethod
    def _a_job_has_pods(cls, pods: int, info: ValidationInfo) -> int:
        if pods == 0 and info.data.get("kind") == "job":
            raise refuse("1 or more for a job", near="1")
        return pods

    @validator("hours", "checkpoint_minutes")
    @classmethod
    def _only_jobs_end(cls, amount: float | None, info: ValidationInfo) -> float | None:
        kind = info.data.get("kind")
        if kind == "job" and amount is None and info.field_name == "hours":
            raise refuse("the hours that the job works")
        if kind == "replicas" and amount is not None:
            raise refuse("blank: replicas run until a later row says otherwise")
        return amount


def read(file: Path, designs: Sequence[Design]) -> tuple[Row, ...]:
    """The rows of a trace by their time, each of which every design can serve.

    Raises:
        TraceError: with every wrong cell; also for a job or replicas that would wait for ever.
    """
    rows: list[Row] = []
    problems: list[Problem] = []
    for line, cells in _cells(file):
        found = _row(line, cells)
        if isinstance(found, Row):
            rows.append(found)
        else:
            problems += found
    problems += _moved(rows)
    problems += [problem for row in rows for design in designs for problem in _unserved(row, design)]
    if problems:
        by_line = sorted(dict.fromkeys(problems), key=lambda problem: int(problem.path.split()[1].strip(",")))
        raise TraceError(file, by_line)
    if not rows:
        raise TraceError(file, [Problem(_where(1, "all"), "nothing", "at least one row below the header")])
    return tuple(sorted(rows, key=lambda row: row.at_hours))


def pool_of(row: Row, pools: Mapping[str, GpuPool]) -> GpuPool | None:
    """The pool that a row runs on: the first of those it names that there is."""
    return next((pools[name] for name in row.pool.split("|") if name in pools), None)


def _row(line: int, cells: Mapping[str, str] | str) -> Row | list[Problem]:
    if isinstance(cells, str):
        allowed = f"{len(COLUMNS)} cells, blank ones too"
        return [Problem(_where(line, "all"), f"{cells.count(',') + 1} cells: {cells}", allowed)]
    try:
        return Row.model_validate({**cells, "line": line})
    except ValidationError as error:
        found = problems_of(error, Row)
        return [Problem(_where(line, p.path), p.given or "blank", p.allowed, p.nearest) for p in found]


def _cells(file: Path) -> Iterator[tuple[int, Mapping[str, str] | str]]:
    """Line numbers and cells by column, or the line as it is if it has too few or many; comments are left out."""
    lines = [
        (n, line) for n, line in enumerate(_text(file).splitlines(), 1) if line.strip() and line[0] != "#"
    ]
    number, first = lines[0] if lines else (1, "nothing")
    header = [name.strip() for name in first.split(",")]
    if sorted(header) != sorted(COLUMNS):
        raise TraceError(file, [Problem(_where(number, "all"), first, f"a header: {','.join(COLUMNS)}")])
    for number, line in lines[1:]:
        cells = [cell.strip() for cell in line.split(",")]
        yield number, dict(zip(header, cells, strict=True)) if len(cells) == len(header) else line


def _text(file: Path) -> str:
    shipped = ", ".join(str(found) for found in sorted((Path(__file__).parent / "traces").glob("*.csv")))
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        problem = Problem(_where(1, "all"), "no such file", f"a CSV file; shipped is {shipped}")
    except (UnicodeDecodeError, OSError) as error:
        problem = Problem(_where(1, "all"), str(error), "a CSV file in UTF-8")
    raise TraceError(file, [problem])


def _where(line: int, column: str) -> str:
    return f"line {line}, {column}"


def _moved(rows: Sequence[Row]) -> Iterator[Problem]:
    """A service stays what it is: only the number of its replicas changes."""
    first: dict[str, Row] = {}
    for row in rows:
        if row.kind != "replicas":
            continue
        before = first.setdefault(row.name, row)
        for column in ("pool", "gpus"):
            given, meant = (str(getattr(of, column)) for of in (row, before))
            if given != meant:
                allowed = f"as of {row.name} in line {before.line}; another service needs another name"
                yield Problem(_where(row.line, column), given, allowed, meant)


def _unserved(row: Row, design: Design) -> Iterable[Problem]:
    """What the design's pools can't ever serve: it would wait for ever."""
    pool = pool_of(row, design.pools)
    if pool is None:
        allowed = f"a pool of {design.name}: {', '.join(design.pools)} (several: batch|train, the first that there is)"
        return [Problem(_where(row.line, "pool"), row.pool, allowed, nearest(row.pool, design.pools))]
    if pool.sharing:
        allowed = "a pool without sharing: a simulation counts whole GPUs"
        return [Problem(_where(row.line, "pool"), pool.name, allowed)]
    if row.gpus > pool.gpus_per_node:
        allowed = f"no more than the GPUs of a node of pool {pool.name} in {design.name}"
        return [Problem(_where(row.line, "gpus"), str(row.gpus), allowed, str(pool.gpus_per_node))]
    nodes = gpus_of(pool) // pool.gpus_per_node
    most = nodes * (pool.gpus_per_node // row.gpus)
    if row.pods > most:
        allowed = f"no more pods of {row.gpus} GPUs than fit on the {nodes} nodes of pool {pool.name} in {design.name}"
        return [Problem(_where(row.line, "pods"), str(row.pods), allowed, str(most))]
    return []
