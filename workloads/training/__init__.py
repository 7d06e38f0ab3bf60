"""Distributed training: `component` deploys it with Pulumi, `launch` and `program` run in its pods."""
