"""The Prometheus metrics of a training job, on port 9464 at $POD_IP. Dashboards are checked against the table."""

from __future__ import annotations

import os
from typing import Any

PORT = 9464

METRICS = {
    "training_step": "Steps done.",
    "training_steps": "Steps of the recipe.",
    "training_loss": "Mean loss of the latest reported step over all ranks.",
    "training_learning_rate": "Learning rate of the latest step.",
    "training_gradient_norm": "Norm of the gradients before clipping.",
    "training_tokens_per_second": "Tokens of all ranks a second, since the report before.",
    "training_mfu_ratio": "Model FLOP utilisation: of the peak of the GPU for bf16; absent where the peak is unknown.",
    "training_goodput_ratio": "Share of the time since the first start that trained what is kept.",
    "training_lost_seconds": "Time that trained nothing, by cause: checkpoints, starts, waiting, again.",
    "training_left_seconds": "Time until the last step, at the present speed.",
    "training_cost_inr": "Rupees for the time in which the job's processes ran.",
    "training_cost_to_end_inr": "Rupees until the last step, at the present speed and goodput.",
    "training_checkpoint_step": "Step of the newest checkpoint.",
    "training_checkpoint_timestamp_seconds": "When the newest checkpoint was saved, in Unix time.",
    "training_checkpoint_stall_seconds": "Time that training stood still for the latest save.",
    "training_checkpoint_save_seconds": "Duration of the latest save.",
    "training_checkpoint_interval_seconds": "Time between saves that loses least (Young, Daly).",
    "training_starts": "Starts of the job, the first included.",
}
LABELS = {"training_lost_seconds": ("cause",)}


class Metrics:
    """Gauges by their names in `METRICS`, served where $POD_IP is set: by the first rank of each pod."""

    def __init__(self, serve: bool) -> None:
        # The table above is read where this library is not.
        from prometheus_client import CollectorRegistry, Gauge, start_http_server

        self.registry = CollectorRegistry()
        self._make = Gauge
        self._gauges: dict[str, Any] = {}
        address = os.environ.get("POD_IP")
        if serve and address:
            start_http_server(PORT, addr=address, registry=self.registry)

    def set(self, name: str, value: float | None, **labels: str) -> None:
        """Sets a gauge; None leaves it out, as if the job had no such metric."""
        if value is None:
            return
        if name not in self._gauges:
            self._gauges[name] = self._make(name, METRICS[name], LABELS.get(name, ()), registry=self.registry)
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(value)


# Dense bf16 FLOP/s by a part of the name that CUDA gives, without sparsity. NVIDIA's sheets could not be read here:
# the figures of H100 SXM and A100 were compared with torchtitan's table, the others with nothing.
PEAK_FLOPS = {
    "B200": 2.25e15,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10G": 70e12,
}


def peak_flops(device: str) -> float | None:
    """The peak of a GPU by its name; None where the table has none."""
    return next((peak for part, peak in PEAK_FLOPS.items() if part in device), None)


def flops_per_token(parameters: int, layers: int, hidden: int, sequence: int) -> float:
    """FLOP of a forward and a backward pass for a token: of the weights, and of attention over half the sequence."""
    return 6.0 * parameters + 6.0 * layers * hidden * sequence
