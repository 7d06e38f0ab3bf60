"""A database, and parameters."""

from __future__ import annotations

from tests.localcloud.providers.aws.world import Step

STEPS: list[Step] = [
    (
        "aws:rds/subnetGroup:SubnetGroup",
        "database-subnets",
        lambda made: {"description": "one", "subnetIds": [made["subnet"].id, made["subnet-2"].id]},
        {"description": "two"},
    ),
    (
        "aws:rds/parameterGroup:ParameterGroup",
        "database-parameters",
        {
            "description": "TLS",
            "family": "postgres17",
            "parameters": [{"name": "rds.force_ssl", "value": "1"}],
        },
        {"tags": {"Name": "databases"}},
    ),
    (
        "aws:rds/instance:Instance",
        "database",
        lambda made: {
            "identifier": "unit-tracking",
            "engine": "postgres",
            "engineVersion": "17",
            "instanceClass": "db.t4g.small",
            "allocatedStorage": 20,
            "maxAllocatedStorage": 100,
            "storageType": "gp3",
            "storageEncrypted": True,
            "kmsKeyId": made["key"].arn,
            "dbName": "tracking",
            "username": "tracking",
            "password": "correct-horse-battery",
            "caCertIdentifier": "rds-ca-rsa2048-g1",
            "dbSubnetGroupName": made["database-subnets"].id,
            "parameterGroupName": made["database-parameters"].id,
            "publiclyAccessible": False,
            "backupRetentionPeriod": 7,
            "copyTagsToSnapshot": True,
            "enabledCloudwatchLogsExports": ["postgresql"],
            "applyImmediately": True,
            "skipFinalSnapshot": True,
            "finalSnapshotIdentifier": "unit-tracking-a1b2c3",
        },
        {"instanceClass": "db.t4g.medium", "allocatedStorage": 30, "multiAz": True},
    ),
    (
        "aws:ssm/parameter:Parameter",
        "parameter",
        {"name": "/unit/plain", "type": "String", "insecureValue": "one", "description": "plain"},
        {"insecureValue": "two"},
    ),
    (
        "aws:ssm/parameter:Parameter",
        "node-config",
        {
            "name": "/unit/on-premises/hall",
            "type": "String",
            "insecureValue": "{}",
            "tags": {f"on-premises:{of}": "2" for of in ("nodes", "gpus", "vcpus", "memory-gib")},
        },
        {"insecureValue": '{"changed": true}'},
    ),
]
