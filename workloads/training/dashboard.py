"""The dashboard of training jobs. Metrics: trainer/metrics."""

from __future__ import annotations

from itertools import starmap

from workloads.kubernetes import grafana
from workloads.training.alerts import JOB

_ROWS = (
    ("Progress", "max(training_step{SEL}) / max(training_steps{SEL})", "percentunit"),
    ("Time left", "max(training_left_seconds{SEL})", "s"),
    ("Goodput", "max(training_goodput_ratio{SEL})", "percentunit"),
    ("Rupees so far", "max(training_cost_inr{SEL})", "currencyINR"),
    ("Rupees to the end", "max(training_cost_to_end_inr{SEL})", "currencyINR"),
    ("Starts", "max(training_starts{SEL})", "short"),
    ("Loss", "max(training_loss{SEL})", "short"),
    ("Learning rate", "max(training_learning_rate{SEL})", "short"),
    ("Norm of the gradients", "max(training_gradient_norm{SEL})", "short"),
    ("Tokens a second", "max(training_tokens_per_second{SEL})", "short"),
    ("Model FLOP utilisation", "max(training_mfu_ratio{SEL})", "percentunit"),
    ("Time lost, by cause", "max by (cause) (training_lost_seconds{SEL})", "s"),
    ("Age of the newest checkpoint", "time() - max(training_checkpoint_timestamp_seconds{SEL})", "s"),
    ("Interval that loses least", "max(training_checkpoint_interval_seconds{SEL})", "s"),
    ("A save, and how long training stood still for it", "max(training_checkpoint_save_seconds{SEL})", "s"),
    ("Stall of the latest save", "max(training_checkpoint_stall_seconds{SEL})", "s"),
)
PANELS = tuple(starmap(grafana.Panel, _ROWS))
ONE = grafana.Picked("job", JOB, "training_steps")
DASHBOARD = grafana.dashboard("training-jobs", "Training jobs", PANELS, ONE)
