"""What watches and who is told: events, queues, topics, a trail, a budget, a detector."""

from __future__ import annotations

import json

from tests.localcloud.providers.aws.world import Step, allow

STEPS: list[Step] = [
    (
        "aws:cloudwatch/eventRule:EventRule",
        "spot",
        {
            "description": "Spot notices",
            "eventPattern": json.dumps(
                {"source": ["aws.ec2"], "detail-type": ["EC2 Spot Instance Interruption Warning"]}
            ),
        },
        {"description": "Spot interruption notices"},
    ),
    (
        "aws:sqs/queue:Queue",
        "queue",
        {"name": "interruption", "messageRetentionSeconds": 300, "sqsManagedSseEnabled": True},
        {"messageRetentionSeconds": 600, "tags": {"of": "karpenter"}},
    ),
    (
        "aws:sqs/queuePolicy:QueuePolicy",
        "queue-policy",
        lambda made: {
            "queueUrl": made["queue"].outputs["url"],
            "policy": allow(
                "sqs:SendMessage", made["queue"].arn, Principal={"Service": "events.amazonaws.com"}
            ),
        },
        None,
    ),
    (
        "aws:cloudwatch/eventTarget:EventTarget",
        "to-queue",
        lambda made: {
            "rule": made["spot"].outputs["name"],
            "arn": made["queue"].arn,
            "inputTransformer": {"inputPaths": {"id": "$.id"}, "inputTemplate": '"<id>"'},
        },
        {"inputTransformer": None},
    ),
    (
        "aws:sns/topic:Topic",
        "topic",
        lambda made: {"displayName": "Findings", "kmsMasterKeyId": made["key"].id},
        {"displayName": "Notices", "tags": {"of": "audit"}},
    ),
    (
        "aws:sns/topicPolicy:TopicPolicy",
        "topic-policy",
        lambda made: {
            "arn": made["topic"].arn,
            "policy": allow("sns:Publish", made["topic"].arn, Principal={"Service": "events.amazonaws.com"}),
        },
        None,
    ),
    (
        "aws:sns/topicSubscription:TopicSubscription",
        "subscription",
        lambda made: {
            "topic": made["topic"].arn,
            "protocol": "sqs",
            "endpoint": made["queue"].arn,
            "rawMessageDelivery": True,
        },
        {"rawMessageDelivery": False},
    ),
    (
        "aws:cloudtrail/trail:Trail",
        "trail",
        lambda made: {
            "name": "lake",
            "s3BucketName": made["audit"].id,
            "s3KeyPrefix": "cloudtrail",
            "kmsKeyId": made["key"].arn,
            "isMultiRegionTrail": True,
            "includeGlobalServiceEvents": True,
            "enableLogFileValidation": True,
            "enableLogging": True,
            "advancedEventSelectors": [
                {
                    "name": "lake",
                    "fieldSelectors": [
                        {"field": "eventCategory", "equals": ["Data"]},
                        {"field": "resources.type", "equals": ["AWS::S3::Object"]},
                        {"field": "resources.ARN", "startsWiths": [made["raw"].arn]},
                    ],
                }
            ],
        },
        {"isMultiRegionTrail": False, "tags": {"of": "audit"}},
    ),
    (
        "aws:budgets/budget:Budget",
        "spend",
        {
            "name": "stack",
            "budgetType": "COST",
            "timeUnit": "MONTHLY",
            "limitAmount": "2106.15",
            "limitUnit": "USD",
            "costFilters": [{"name": "TagKeyValue", "values": ["user:stack$dev"]}],
            "costTypes": {"includeTax": False, "includeCredit": False},
            "notifications": [
                {
                    "notificationType": "ACTUAL",
                    "comparisonOperator": "GREATER_THAN",
                    "threshold": 80,
                    "thresholdType": "PERCENTAGE",
                    "subscriberEmailAddresses": ["ml@example.org", "money@example.org"],
                }
            ],
        },
        {
            "limitAmount": "1900.00",
            "notifications": [
                {
                    "notificationType": "FORECASTED",
                    "comparisonOperator": "GREATER_THAN",
                    "threshold": 100,
                    "thresholdType": "PERCENTAGE",
                    "subscriberEmailAddresses": ["money@example.org"],
                }
            ],
        },
    ),
    (
        "aws:guardduty/detector:Detector",
        "detector",
        {"enable": True, "findingPublishingFrequency": "FIFTEEN_MINUTES"},
        {"findingPublishingFrequency": "ONE_HOUR"},
    ),
    (
        "aws:guardduty/detectorFeature:DetectorFeature",
        "runtime",
        lambda made: {
            "detectorId": made["detector"].id,
            "name": "EKS_RUNTIME_MONITORING",
            "status": "ENABLED",
            "additionalConfigurations": [{"name": "EKS_ADDON_MANAGEMENT", "status": "ENABLED"}],
        },
        {"status": "DISABLED"},
    ),
]
