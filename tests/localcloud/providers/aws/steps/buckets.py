"""Buckets, and each thing that is said of one."""

from __future__ import annotations

from tests.localcloud.providers.aws.world import Step, allow

STEPS: list[Step] = [
    (
        "aws:s3/bucket:Bucket",
        "audit",
        {"forceDestroy": True, "objectLockEnabled": True, "tags": {"dpdp:data-class": "personal"}},
        {"tags": {"dpdp:data-class": "internal"}},
    ),
    # Apart from `audit`, which moto really delivers logs to: a lock is refused on a bucket that holds something.
    ("aws:s3/bucket:Bucket", "locked", {"forceDestroy": True, "objectLockEnabled": True}, None),
    (
        "aws:s3/bucket:Bucket",
        "raw",
        {"bucket": "raw-of-a-team", "forceDestroy": True},
        {"forceDestroy": False},
    ),
    (
        "aws:s3/bucketVersioning:BucketVersioning",
        "versioning",
        lambda made: {"bucket": made["raw"].id, "versioningConfiguration": {"status": "Enabled"}},
        {"versioningConfiguration": {"status": "Suspended"}},
    ),
    (
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "sse",
        lambda made: {
            "bucket": made["raw"].id,
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {
                        "sseAlgorithm": "aws:kms",
                        "kmsMasterKeyId": made["key"].arn,
                    },
                    "bucketKeyEnabled": True,
                }
            ],
        },
        {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
    ),
    (
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "private",
        lambda made: {"bucket": made["raw"].id, "blockPublicAcls": True, "restrictPublicBuckets": True},
        {"restrictPublicBuckets": False},
    ),
    (
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        "ownership",
        lambda made: {"bucket": made["raw"].id, "rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
    ),
    (
        "aws:s3/bucketPolicy:BucketPolicy",
        "log-delivery",
        lambda made: {
            "bucket": made["audit"].id,
            "policy": allow(
                "s3:PutObject",
                f"{made['audit'].arn}/*",
                Principal={"Service": "logging.s3.amazonaws.com"},
            ),
        },
        None,
    ),
    (
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "lifecycle",
        lambda made: {
            "bucket": made["raw"].id,
            "rules": [
                {
                    "id": "expire",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "expiration": {"days": 365},
                    "transitions": [{"days": 30, "storageClass": "STANDARD_IA"}],
                    "noncurrentVersionExpiration": {"noncurrentDays": 30},
                    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
                }
            ],
        },
        {
            "rules": [
                {"id": "later", "status": "Enabled", "filter": {"prefix": "a"}, "expiration": {"days": 730}}
            ]
        },
    ),
    (
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        "replication",
        lambda made: {
            "bucket": made["locked"].id,
            "role": "arn:aws:iam::123456789012:role/replication",
            "rules": [
                {
                    "id": "everything",
                    "priority": 1,
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "deleteMarkerReplication": {"status": "Enabled"},
                    "sourceSelectionCriteria": {"sseKmsEncryptedObjects": {"status": "Enabled"}},
                    "destination": {
                        "bucket": f"arn:aws:s3:::{made['audit'].id}",
                        "encryptionConfiguration": {
                            "replicaKmsKeyId": "arn:aws:kms:ap-south-2:123456789012:key/k"
                        },
                    },
                }
            ],
        },
        {"role": "arn:aws:iam::123456789012:role/other"},
    ),
    (
        "aws:s3/bucketLogging:BucketLogging",
        "logging",
        lambda made: {
            "bucket": made["raw"].id,
            "targetBucket": made["audit"].id,
            "targetPrefix": "raw/",
            "targetObjectKeyFormat": {"partitionedPrefix": {"partitionDateSource": "EventTime"}},
        },
        {"targetPrefix": "access/"},
    ),
    (
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        "lock",
        lambda made: {
            "bucket": made["locked"].id,
            "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 365}},
        },
        {"rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 400}}},
    ),
]
