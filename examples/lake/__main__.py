"""A lake in Mumbai, and a role that reads one of its buckets."""

import json

import pulumi
import pulumi_aws as aws

from india_ai_infra import Lake, LakeArgs

lake = Lake(
    "crawl",
    LakeArgs(
        region="ap-south-1",
        owner="data-platform",
        purpose="search models",
        data_class="internal",
        retention_days=90,
    ),
)
trusted = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
reader = aws.iam.Role(
    "reader", assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
)
allowed = [
    {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": lake.buckets["curated"].apply("arn:aws:s3:::{}/*".format),
    },
    {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": lake.key},
]
policy = pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": allowed})
aws.iam.RolePolicy("reader", role=reader.id, policy=policy)
pulumi.export("uris", lake.uris)
