"""Where the cluster's own Prometheus answers. The platform has one on every cloud, and it scrapes every workload, also
on Google: Managed Service for Prometheus has only what the alerts use."""

from __future__ import annotations

# Of the chart kube-prometheus-stack, under a release of that name.
SERVICE, NAMESPACE, PORT = "kube-prometheus-stack-prometheus", "monitoring", 9090
ADDRESS = f"http://{SERVICE}.{NAMESPACE}.svc:{PORT}"
# How often it scrapes the pods of workloads, in seconds.
SCRAPE_SECONDS = 15
