"""What containers are told so that AWS's SDKs find the lake: in their region, or at an S3 endpoint of one's own."""

from __future__ import annotations

from collections.abc import Mapping


def lake_environment(region: str) -> Mapping[str, str]:
    """Sends every AWS SDK to the region of the lake.

    botocore reads AWS_DEFAULT_REGION alone, the other SDKs AWS_REGION; and EKS' Pod Identity webhook adds neither where
    it finds one of them (aws/amazon-eks-pod-identity-webhook, pkg/handler/handler.go). A client that knows no region
    speaks to us-east-1.
    """
    return {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}


def store_environment(url: str, region: str) -> Mapping[str, str]:
    """Sends every AWS SDK to an object store that is not AWS's."""
    return {"AWS_ENDPOINT_URL_S3": url, **lake_environment(region)}


def streaming_environment(url: str) -> Mapping[str, str]:
    """Sends Run:ai's model streamer there: it reads no address of S3 alone, and would ask for a host of each bucket
    (runai-model-streamer-s3 0.17.0, tried)."""
    return {"AWS_ENDPOINT_URL": url, "RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING": "0"}
