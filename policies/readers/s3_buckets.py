"""What belongs to an S3 bucket: its lock, its lifecycle, its logging, each a resource of its own."""

from __future__ import annotations

from collections.abc import Iterator

from policies.framework.resources import Stack, StackResource, document
from policies.framework.unknowns import dig
from policies.readers.data_stores import is_personal

BUCKETS = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
BUCKET_LOGGING = ("aws:s3/bucketLogging:BucketLogging", "aws:s3/bucketLoggingV2:BucketLoggingV2")
LIFECYCLES = (
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2",
)
VERSIONINGS = ("aws:s3/bucketVersioning:BucketVersioning", "aws:s3/bucketVersioningV2:BucketVersioningV2")
LOCKS = (
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
    "aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2",
)
GCS_BUCKET = "gcp:storage/bucket:Bucket"


def personal_buckets(stack: Stack) -> Iterator[StackResource]:
    """The S3 buckets of the stack that hold personal data."""
    return (bucket for bucket in stack.of(*BUCKETS) if is_personal(bucket.alone))


def parts(stack: Stack, bucket: StackResource, *types: str, prop: str = "bucket") -> list[StackResource]:
    """The resources of `types` whose `prop` names the bucket, by the engine's records or by a name written out."""
    return [one for one in stack.of(*types) if names(stack, one, prop, bucket)]


def names(stack: Stack, resource: StackResource, prop: str, bucket: StackResource) -> bool:
    """Whether a property of a resource names a bucket, by a dependency or by the bucket's name."""
    name = bucket.props.get("bucket")
    return bucket.urn in stack.behind(resource, prop) or (
        isinstance(name, str) and resource.props.get(prop) == name
    )


def bucket_of(stack: Stack, resource: StackResource, prop: str = "bucket") -> StackResource | None:
    """The bucket of this stack that a property names."""
    return next((one for one in stack.of(*BUCKETS) if names(stack, resource, prop, one)), None)


def is_amazons(bucket: StackResource) -> bool:
    """Not a bucket of another store that speaks S3, which Amazon's trails and deliveries don't reach."""
    endpoint = dig(document(bucket.alone.provider_props.get("endpoints")), "s3")
    return not isinstance(endpoint, str) or "amazonaws.com" in endpoint


def receives_access_logs(stack: Stack, bucket: StackResource) -> bool:
    """Such a bucket can't log its own access: each delivery would be an access that makes a delivery."""
    return bool(parts(stack, bucket, *BUCKET_LOGGING, prop="targetBucket"))


BUCKET_POLICIES = ("aws:s3/bucketPolicy:BucketPolicy", "aws:s3control/bucketPolicy:BucketPolicy")
