"""Alerts on training jobs. Their metrics: trainer/metrics.py. What to do about each: docs/training.md."""

from infra.contracts.needs import Alert, Severity

# The job's name is a label of its pods, as Prometheus writes it.
JOB_LABEL = "app.kubernetes.io/instance"
JOB = "app_kubernetes_io_instance"

# Every pod reports for the whole job.
_LOSS_IS_NO_NUMBER = "training_loss != training_loss or abs(training_loss) > 1e30"
# Of replicas one saves, and another may have before it.
_CHECKPOINT_AGE = f"min by ({JOB}) (time() - training_checkpoint_timestamp_seconds)"
_STARTS = f"max by ({JOB}) (max_over_time(training_starts[1h])) - min by ({JOB}) (min_over_time(training_starts[1h]))"


def _alert(name: str, expression: str, lasting: str, severity: Severity, summary: str, part: str) -> Alert:
    runbook = f"docs/training.md#{part}"
    return Alert(name, expression, lasting, severity, f"{{{{ $labels.{JOB} }}}} {summary}", runbook)


ALERTS = (
    _alert(
        "TrainingStalled",
        f"max by ({JOB}) (changes(training_step[15m])) == 0 and max by ({JOB}) (training_left_seconds) > 0",
        "5m",
        "critical",
        "has done no step for a quarter of an hour",
        "no-step-is-done",
    ),
    _alert(
        "TrainingGoodputLow",
        f"max by ({JOB}) (training_goodput_ratio) < 0.8",
        "1h",
        "warning",
        "trains what is kept in less than 80 % of its time",
        "goodput-is-low",
    ),
    _alert(
        "TrainingCheckpointOld",
        f"{_CHECKPOINT_AGE} > 2 * max by ({JOB}) (training_checkpoint_interval_seconds)",
        "5m",
        "critical",
        "has not saved for over two intervals",
        "the-newest-checkpoint-is-old",
    ),
    _alert(
        "TrainingRestartsOften",
        f"{_STARTS} > 6",
        "0s",
        "warning",
        "has started more than six times in an hour",
        "it-starts-again-and-again",
    ),
    _alert(
        "TrainingLossIsNoNumber",
        f"count by ({JOB}) ({_LOSS_IS_NO_NUMBER}) > 0",
        "1m",
        "critical",
        "has a loss that is no finite number",
        "the-loss-is-no-number",
    ),
)
