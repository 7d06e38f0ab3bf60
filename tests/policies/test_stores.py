"""Stores by bare name: buckets, datasets, tables and topics that something is written to, in any type.

Each row of `WRITTEN` writes to a store that nobody knows, or that a name puts abroad; each row of `QUIET` does not.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from harness import UNKNOWN, Shown, run

BY_NAME = "destination of unknown residency"
ABROAD = "abroad by its name"
MUMBAI = {"region": "ap-south-1"}

BUCKET = Shown("aws:s3/bucket:Bucket", {"bucket": "lake-in"}, "own")
GCS = Shown("gcp:storage/bucket:Bucket", {"name": "gcs-in", "location": "asia-south1"}, "own-gcs")
DATASET = Shown(
    "gcp:bigquery/dataset:Dataset",
    {"datasetId": "mart", "project": "shop", "location": "asia-south1"},
    "own-set",
)
TOPIC = Shown(
    "gcp:pubsub/topic:Topic",
    {
        "name": "orders",
        "project": "shop",
        "messageStoragePolicy": {"allowedPersistenceRegions": ["asia-south1"]},
    },
    "own-topic",
)
NATIVE = Shown("aws-native:s3:Bucket", {"bucketName": "native-in"}, "native")
OWN = (BUCKET, GCS, DATASET, TOPIC, NATIVE)


def env(**variables: str) -> dict[str, Any]:
    return {"environment": {"variables": variables}}


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    made = [{"name": f"c{at}", "image": "i", **one} for at, one in enumerate(containers)]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "ml"},
        "spec": {"template": {"spec": {"containers": made, **spec}}},
    }


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# (type, properties, the value that the message names, what the message says)
WRITTEN: list[tuple[str, dict[str, Any], str, str]] = [
    # AWS: logs, results, recordings, exports
    ("aws:lb/loadBalancer:LoadBalancer", {"accessLogs": {"enabled": True, "bucket": "edge-logs"}}, "edge-logs", BY_NAME),
    ("aws:elb/loadBalancer:LoadBalancer", {"accessLogs": {"bucket": "elb-logs"}}, "elb-logs", BY_NAME),
    ("aws:codebuild/reportGroup:ReportGroup", {"exportConfig": {"type": "S3", "s3Destination": {"bucket": "ci"}}}, "ci", BY_NAME),
    ("aws:codebuild/project:Project", {"logsConfig": {"s3Logs": {"status": "ENABLED", "location": "ci-logs/build"}}}, "ci-logs", BY_NAME),
    ("aws:codepipeline/pipeline:Pipeline", {"artifactStores": [{"type": "S3", "location": "codepipeline-us-east-1-1234"}]}, "codepipeline-us-east-1-1234", ABROAD),
    ("aws:athena/workgroup:Workgroup", {"configuration": {"resultConfiguration": {"outputLocation": "s3://aws-athena-query-results-1-eu-west-1/"}}}, "eu-west-1", ABROAD),
    ("aws:emr/cluster:Cluster", {"logUri": "s3n://aws-logs-111122223333-us-east-1/emr/"}, "aws-logs-111122223333-us-east-1", ABROAD),
    ("aws:ses/receiptRule:ReceiptRule", {"s3Actions": [{"bucketName": "mail-archive", "position": 1}]}, "mail-archive", BY_NAME),
    ("aws:ivs/recordingConfiguration:RecordingConfiguration", {"destinationConfiguration": {"s3": {"bucketName": "streams"}}}, "streams", BY_NAME),
    ("aws:iot/topicRule:TopicRule", {"s3": [{"bucketName": "telemetry", "key": "k", "roleArn": "r"}]}, "telemetry", BY_NAME),
    ("aws:imagebuilder/infrastructureConfiguration:InfrastructureConfiguration", {"logging": {"s3Logs": {"s3BucketName": "builds"}}}, "builds", BY_NAME),
    ("aws:ssm/association:Association", {"outputLocation": {"s3BucketName": "runs"}}, "runs", BY_NAME),
    ("aws:ec2/spotDatafeedSubscription:SpotDatafeedSubscription", {"bucket": "spot-feed"}, "spot-feed", BY_NAME),
    ("aws:cur/reportDefinition:ReportDefinition", {"s3Bucket": "bills", "s3Region": "ap-south-1"}, "bills", BY_NAME),
    ("aws:sagemaker/trainingJob:TrainingJob", {"outputDataConfig": {"s3OutputPath": "s3://weights/out"}}, "weights", BY_NAME),
    ("aws:sagemaker/trainingJob:TrainingJob", {"checkpointConfig": {"s3Uri": "s3://checkpoints-eu-west-1/"}}, "checkpoints-eu-west-1", ABROAD),
    ("aws:sagemaker/domain:Domain", {"defaultUserSettings": {"sharingSettings": {"s3OutputPath": "s3://notebooks"}}}, "notebooks", BY_NAME),
    ("aws:bedrock/customModel:CustomModel", {"outputDataConfig": {"s3Uri": "s3://tuned/"}}, "tuned", BY_NAME),
    ("aws:verifiedaccess/instanceLoggingConfiguration:InstanceLoggingConfiguration", {"accessLogs": {"s3": {"enabled": True, "bucketName": "va"}}}, "va", BY_NAME),
    ("aws:macie2/classificationExportConfiguration:ClassificationExportConfiguration", {"s3Destination": {"bucketName": "pii-findings", "kmsKeyArn": "arn:aws:kms:ap-south-1:1:key/k"}}, "pii-findings", BY_NAME),
    ("aws:transfer/workflow:Workflow", {"steps": [{"type": "COPY", "copyStepDetails": {"destinationFileLocation": {"s3FileLocation": {"bucket": "partners"}}}}]}, "partners", BY_NAME),
    ("aws:cloudfront/distribution:Distribution", {"loggingConfig": {"bucket": "cdn-logs.s3.amazonaws.com"}}, "cdn-logs", BY_NAME),
    ("aws:glue/job:Job", {"defaultArguments": {"--TempDir": "s3://glue-temp/x", "--spark-event-logs-path": "s3a://glue-temp/l"}}, "glue-temp", BY_NAME),
    ("aws:never/seen:Before", {"deep": [{"er": {"reportingBucketName": "no-such"}}]}, "no-such", BY_NAME),
    ("aws:never/seen:Before", {"anything": "s3://no-such/prefix"}, "no-such", BY_NAME),
    ("aws-native:s3:Bucket", {"bucketName": "b", "replicationConfiguration": {"rules": [{"destination": {"bucket": "arn:aws:s3:::copy"}}]}}, "copy", BY_NAME),
    # Google
    ("gcp:bigquery/job:Job", {"extract": {"destinationUris": ["gs://out-1/x-*.csv"]}}, "out-1", BY_NAME),
    ("gcp:bigquery/job:Job", {"query": {"query": "q", "destinationTable": {"projectId": "other", "datasetId": "foreign", "tableId": "t"}}}, "foreign", BY_NAME),
    ("gcp:bigquery/dataTransferConfig:DataTransferConfig", {"location": "asia-south1", "destinationDatasetId": "elsewhere"}, "elsewhere", BY_NAME),
    ("gcp:bigquery/table:Table", {"datasetId": "us_mart", "tableId": "t"}, "us_mart", BY_NAME),
    ("gcp:pubsub/subscription:Subscription", {"topic": "projects/shop/topics/orders", "bigqueryConfig": {"table": "other.mart.t"}}, "other.mart.t", BY_NAME),
    ("gcp:dataflow/job:Job", {"region": "asia-south1", "tempGcsLocation": "gs://tmp-x/t", "templateGcsPath": "gs://dataflow-templates/x"}, "tmp-x", BY_NAME),
    ("gcp:dataproc/cluster:Cluster", {"region": "asia-south1", "clusterConfig": {"stagingBucket": "stage", "tempBucket": "stage"}}, "stage", BY_NAME),
    ("gcp:vertex/aiEndpoint:AiEndpoint", {"location": "asia-south1", "predictRequestResponseLoggingConfig": {"enabled": True, "bigqueryDestination": {"outputUri": "bq://other.prompts"}}}, "other.prompts", BY_NAME),
    ("gcp:securitycenter/projectSccBigQueryExport:ProjectSccBigQueryExport", {"dataset": "projects/other/datasets/scc"}, "scc", BY_NAME),
    ("gcp:cloudbuild/trigger:Trigger", {"location": "asia-south1", "build": {"logsBucket": "gs://build-logs"}}, "build-logs", BY_NAME),
    ("gcp:looker/instance:Instance", {"region": "asia-south1", "periodicExportConfig": {"gcsUri": "gs://looker-us-central1"}}, "looker-us-central1", ABROAD),
    ("gcp:containeranalysis/note:Note", {"hook": {"destination": "projects/other/topics/t"}}, "projects/other/topics/t", BY_NAME),
    # Opened texts
    ("aws:lambda/function:Function", env(EXPORT_BUCKET="mirror"), "mirror", BY_NAME),
    ("aws:lambda/function:Function", env(BUCKET="dump-us-east-1"), "dump-us-east-1", ABROAD),
    ("aws:lambda/function:Function", env(SINK="gs://crm-sync/x"), "crm-sync", BY_NAME),
    ("aws:ecs/taskDefinition:TaskDefinition", {"containerDefinitions": json.dumps([{"name": "a", "environment": [{"name": "RESULTS_BUCKET", "value": "res-x"}]}])}, "res-x", BY_NAME),
    ("aws:ec2/instance:Instance", {"userData": "#!/bin/bash\naws s3 sync /data s3://offsite/\n"}, "offsite", BY_NAME),
    ("aws:ec2/launchTemplate:LaunchTemplate", {"userData": encoded("#!/bin/bash\naws s3 cp /var/log/x s3://offsite-2/x --quiet\n")}, "offsite-2", BY_NAME),
    ("aws:opensearchingest/pipeline:Pipeline", {"pipelineConfigurationBody": "version: '2'\nlogs:\n  sink:\n    - s3:\n        bucket: pipeline-out\n        aws: {region: ap-south-1}\n"}, "pipeline-out", BY_NAME),
    ("aws:sfn/stateMachine:StateMachine", {"definition": json.dumps({"States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:putObject", "Parameters": {"Bucket": "steps-out", "Key": "k"}}}})}, "steps-out", BY_NAME),
    ("gcp:cloudrunv2/service:Service", {"location": "asia-south1", "template": {"containers": [{"image": "i", "envs": [{"name": "UPLOAD_BUCKET", "value": "uploads-eu"}]}]}}, "uploads-eu", BY_NAME),
    ("gcp:compute/instance:Instance", {"zone": "asia-south1-a", "metadataStartupScript": "#!/bin/bash\ngsutil -m rsync -r /data gs://nightly\n"}, "nightly", BY_NAME),
    ("gcp:cloudfunctionsv2/function:Function", {"location": "asia-south1", "serviceConfig": {"environmentVariables": {"BIGQUERY_TABLE": "other.us_mart.events"}}}, "other.us_mart.events", BY_NAME),
    # Kubernetes
    ("kubernetes:apps/v1:Deployment", pod({"env": [{"name": "ARTIFACT_BUCKET", "value": "art-x"}]}), "art-x", "its name carries no region"),
    ("kubernetes:core/v1:ConfigMap", {"metadata": {"name": "c"}, "data": {"loki.yaml": "storage_config:\n  aws:\n    bucketnames: loki-x\n    region: ap-south-1\n"}}, "loki-x", "its name carries no region"),
    ("kubernetes:helm.sh/v3:Release", {"chart": "tempo", "values": {"storage": {"trace": {"backend": "gcs", "gcs": {"bucket_name": "traces-x"}}}}}, "traces-x", "its name carries no region"),
]  # fmt: skip

QUIET: list[tuple[str, dict[str, Any]]] = [
    # Of this stack
    ("aws:lb/loadBalancer:LoadBalancer", {"accessLogs": {"enabled": True, "bucket": "lake-in"}}),
    ("aws:sagemaker/trainingJob:TrainingJob", {"outputDataConfig": {"s3OutputPath": "s3://lake-in/out"}}),
    ("aws:athena/workgroup:Workgroup", {"configuration": {"resultConfiguration": {"outputLocation": "s3://lake-in/q/"}}}),
    ("aws:lambda/function:Function", env(EXPORT_BUCKET="lake-in", OTHER="s3://native-in/x")),
    ("gcp:bigquery/table:Table", {"datasetId": "mart", "tableId": "t"}),
    ("gcp:bigquery/job:Job", {"extract": {"destinationUris": ["gs://gcs-in/x-*.csv"]}}),
    ("gcp:pubsub/subscription:Subscription", {"topic": "projects/shop/topics/orders", "bigqueryConfig": {"table": "shop.mart.t"}}),
    ("gcp:securitycenter/projectSccBigQueryExport:ProjectSccBigQueryExport", {"dataset": "projects/shop/datasets/mart"}),
    ("gcp:dataproc/cluster:Cluster", {"region": "asia-south1", "clusterConfig": {"stagingBucket": "gcs-in"}}),
    # Says an Indian place
    ("aws:lb/loadBalancer:LoadBalancer", {"accessLogs": {"bucket": "logs-111122223333-ap-south-1"}}),
    ("gcp:cloudbuild/trigger:Trigger", {"location": "asia-south1", "build": {"logsBucket": "gs://logs-asia-south1-x"}}),
    # Reads
    ("aws:lambda/function:Function", {"s3Bucket": "deployments", "s3Key": "f.zip"}),
    ("aws:lambda/layerVersion:LayerVersion", {"s3Bucket": "deployments", "s3Key": "f.zip"}),
    ("aws:sagemaker/model:Model", {"primaryContainer": {"modelDataUrl": "s3://jumpstart-cache-prod-ap-south-1/m.tar.gz"}}),
    ("aws:sagemaker/trainingJob:TrainingJob", {"inputDataConfigs": [{"dataSource": {"s3DataSource": {"s3Uri": "s3://open-images/"}}}]}),
    ("aws:bedrock/customModel:CustomModel", {"trainingDataConfig": {"s3Uri": "s3://public-corpus/"}}),
    ("aws:dynamodb/table:Table", {"importTable": {"s3BucketSource": {"bucket": "seed"}}}),
    ("aws:elasticbeanstalk/applicationVersion:ApplicationVersion", {"bucket": "deployments", "key": "k"}),
    ("aws:codedeploy/deploymentGroup:DeploymentGroup", {"appName": "a", "serviceRoleArn": "r"}),
    ("aws:mwaa/environment:Environment", {"dagS3Path": "dags/", "requirementsS3Path": "requirements.txt"}),
    ("aws:ec2/instance:Instance", {"userData": "#!/bin/bash\naws s3 cp s3://aws-codedeploy-ap-south-1/latest/install .\naws s3 sync s3://commoncrawl/x /data\n"}),
    ("aws:ec2/instance:Instance", {"userData": "#!/bin/bash\ncurl -O https://s3.amazonaws.com/ec2-downloads-windows/x.exe\nwget https://amazoncloudwatch-agent.s3.amazonaws.com/a.rpm\n"}),
    ("aws:emr/cluster:Cluster", {"bootstrapActions": [{"name": "b", "path": "s3://elasticmapreduce/bootstrap-actions/run-if"}]}),
    ("gcp:dataproc/cluster:Cluster", {"region": "asia-south1", "clusterConfig": {"initializationActions": [{"script": "gs://goog-dataproc-initialization-actions-asia-south1/kafka/kafka.sh"}]}}),
    ("gcp:dataflow/flexTemplateJob:FlexTemplateJob", {"region": "asia-south1", "containerSpecGcsPath": "gs://dataflow-templates-asia-south1/latest/x"}),
    ("gcp:cloudfunctions/function:Function", {"region": "asia-south1", "sourceArchiveBucket": "functions-src"}),
    ("gcp:bigquery/job:Job", {"load": {"sourceUris": ["gs://gcp-public-data-landsat/i.csv"], "destinationTable": {"projectId": "shop", "datasetId": "mart", "tableId": "t"}}}),
    ("gcp:bigquery/table:Table", {"datasetId": "mart", "tableId": "v", "view": {"query": "select * from `bigquery-public-data.samples.shakespeare`"}}),
    ("aws:lambda/function:Function", env(SOURCE_BUCKET="partner-feed", PULUMI_BACKEND_URL="s3://pulumi-state", TABLE_NAME="orders")),
    ("aws:lambda/function:Function", env(BUCKET="${BUCKET}", CACHE_TABLE="sessions")),
    ("command:local:Command", {"create": "pulumi login s3://state-of-ours", "environment": {"TF_STATE_BUCKET": "tf-state"}}),
    # Names itself, or whose setting it is
    ("aws:s3/bucketPolicy:BucketPolicy", {"bucket": "lake-in", "policy": "{}"}),
    ("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", {"bucket": "of-another-stack", "rules": []}),
    ("gcp:storage/bucketIAMMember:BucketIAMMember", {"bucket": "of-another-stack", "role": "r", "member": "m"}),
    ("gcp:bigquery/datasetIamMember:DatasetIamMember", {"datasetId": "of-another-stack", "role": "r", "member": "m"}),
    ("gcp:logging/projectBucketConfig:ProjectBucketConfig", {"project": "shop", "location": "asia-south1", "bucketId": "audit"}),
    ("aws:dynamodb/tableItem:TableItem", {"tableName": "orders", "hashKey": "id", "item": "{}"}),
    # Policies say who may, not where
    ("aws:iam/policy:Policy", {"policy": json.dumps({"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::elsewhere/*"}]})}),
    ("aws:lambda/permission:Permission", {"sourceArn": "arn:aws:s3:::of-another-stack", "principal": "s3.amazonaws.com"}),
    # No cloud's
    ("kubernetes:objectbucket.io/v1alpha1:ObjectBucketClaim", {"spec": {"generateBucketName": "models", "storageClassName": "rook"}}),
    ("kubernetes:jetstream.nats.io/v1beta2:ObjectStore", {"spec": {"bucket": "files"}}),
    ("kubernetes:minio.min.io/v2:Tenant", {"spec": {"buckets": [{"name": "models"}], "bucketName": "models"}}),
    ("kubernetes:apps/v1:Deployment", pod({"env": [{"name": "AWS_ENDPOINT_URL_S3", "value": "http://minio.minio.svc:9000"}, {"name": "BUCKET", "value": "models"}, {"name": "TARGET", "value": "s3://models/x"}]})),
    ("kubernetes:core/v1:ConfigMap", {"metadata": {"name": "c"}, "data": {"loki.yaml": "storage_config:\n  aws:\n    endpoint: http://minio.minio.svc:9000\n    bucketnames: loki-x\n"}}),
    ("kubernetes:apps/v1:Deployment", pod({"args": ["--dataset", "s3://commoncrawl/crawl-data", "--table", "orders"]})),
]  # fmt: skip


def told(*shown: Shown, config: Any = None) -> list[str]:
    """Messages about stores and places; those of tags, keys and backups are other tests'."""
    lines = [line for one in run(*shown, config=config) for line in one.message.splitlines()]
    about = (
        "unknown residency",
        "abroad by its name",
        "carries no region",
        "leads out of India",
        "host is in",
    )
    return [line for line in lines if any(words in line for words in about)]


def subject(type_: str, props: dict[str, Any]) -> Shown:
    return Shown(type_, props, provider=MUMBAI if type_.startswith("aws") else {"project": "shop"})


@pytest.mark.parametrize(("type_", "props", "value", "says"), WRITTEN, ids=[f"{at} {row[0]} {row[2]}" for at, row in enumerate(WRITTEN)])  # fmt: skip
def test_what_is_written_to_a_store_that_nobody_knows_is_found(
    type_: str, props: dict[str, Any], value: str, says: str
) -> None:
    found = told(*OWN, subject(type_, props))
    assert any(value in line and says in line for line in found), found


@pytest.mark.parametrize(("type_", "props"), QUIET, ids=[f"{at} {row[0]}" for at, row in enumerate(QUIET)])
def test_what_is_known_or_only_read_is_let_through(type_: str, props: dict[str, Any]) -> None:
    assert told(*OWN, subject(type_, props)) == []
