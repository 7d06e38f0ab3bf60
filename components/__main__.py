"""The component provider: what Pulumi starts for a program that uses Lake or GpuCluster."""

from india_ai_infra.provider import main

main()
