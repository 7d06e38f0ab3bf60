"""Odd shapes: huge, deep, broken and hostile property values on which a policy pack may neither break nor hang.

`odd_cases` returns rows of `id`, `type`, `props` and `want`. The values of `want`:

- `found`: a mandatory finding about residency must be there
- `clean`: none may be there
- `alive`: the pack answers, whatever it says

Every row must be answered within a few seconds. The rows are made here, and not kept as JSON, because they are large.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator
from typing import Any

MIB = 1024 * 1024
LAMBDA = "aws:lambda/function:Function"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
SECRET = "kubernetes:core/v1:Secret"
UNHEARD_OF = "aws:never/heard:Of"


def _config_map(text: str, key: str = "file") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "odd"}, "data": {key: text}}


def _secret(data: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "odd"}, "data": data}


def _noise(size: int) -> bytes:
    """Return bytes that look random and are the same in every run."""
    blocks = (hashlib.sha256(str(number).encode()).digest() for number in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def _nested(depth: int, bottom: Any) -> Any:
    for _ in range(depth):
        bottom = {"a": bottom}
    return bottom


def _wrapped_json(times: int, bottom: Any) -> str:
    """Return JSON whose one value is JSON as a text, and so on."""
    text = json.dumps(bottom)
    for _ in range(times):
        text = json.dumps({"inner": text})
    return text


def _wrapped_base64(times: int, text: str) -> str:
    data = text.encode()
    for _ in range(times):
        data = base64.b64encode(data)
    return data.decode()


def _policy(statements: int, last: dict[str, Any] | None = None) -> str:
    rows = [
        {"Effect": "Allow", "Action": f"s3:Get{n}", "Resource": f"arn:aws:s3:::shop-{n}/*"}
        for n in range(statements)
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": [*rows, last] if last else rows})


def _big_texts() -> Iterator[tuple[str, dict[str, Any], str]]:
    yield CONFIG_MAP, _config_map(_noise(MIB // 2).hex()), "clean"
    yield CONFIG_MAP, _config_map(base64.b64encode(_noise(MIB * 3 // 4)).decode()), "clean"
    yield SECRET, _secret({"blob": base64.b64encode(_noise(MIB * 3 // 4)).decode()}), "clean"
    lines = "".join(f"KEY_{n}=value-{n}\n" for n in range(30_000))
    yield CONFIG_MAP, _config_map(lines, ".env"), "clean"
    yield CONFIG_MAP, _config_map(lines + "AWS_REGION=us-east-1\n", ".env"), "found"
    yield (
        CONFIG_MAP,
        _config_map("id,country,amount\n" + "".join(f"{n},US,{n}\n" for n in range(50_000)), "orders.csv"),
        "clean",
    )
    pem = (
        "-----BEGIN CERTIFICATE-----\n"
        + base64.encodebytes(_noise(1500)).decode()
        + "-----END CERTIFICATE-----\n"
    )
    yield CONFIG_MAP, _config_map(pem * 150, "ca-bundle.crt"), "clean"
    yield (
        CONFIG_MAP,
        _config_map("!function(e,t){return e?t.a:t[0]}(this,{a:1});" * 20_000, "app.min.js"),
        "clean",
    )


def _long_runs() -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield long runs of what an expression for hosts, paths, ARNs or places begins with."""
    units = [
        "a",
        "-",
        ".",
        "a.",
        "a-",
        "us-",
        "us-east-",
        "http://",
        "https://a.",
        "s3://",
        "gs://",
        "a@",
        "arn:aws:",
    ]
    units += [
        "projects/p/locations/",
        ":::",
        "1",
        "\\",
        '"',
        "{",
        "[",
        "%20",
        "${",
        "a=",
        "--region=",
        "# ",
        "\n",
    ]
    # Half a host, a bucket without a name or a flag without a value may be judged either way.
    unclear = {"us-", "us-east-", "http://", "https://a.", "s3://", "gs://", "arn:aws:", "a=", "--region="}
    for unit in units:
        run = unit * (MIB // len(unit))
        yield CONFIG_MAP, _config_map(run), "alive" if unit in unclear else "clean"
    yield LAMBDA, {"environment": {"variables": {"URL": "https://" + "a." * 100_000 + "in"}}}, "alive"
    yield (
        LAMBDA,
        {"environment": {"variables": {"HOST": "a" * 100_000 + ".us-east-1.amazonaws.com"}}},
        "alive",
    )


def _deep_and_wide() -> Iterator[tuple[str, dict[str, Any], str]]:
    # A message of the engine carries some thirty levels (the limit of protobuf); a text carries any number.
    yield CONFIG_MAP, _config_map(json.dumps(_nested(500, {"region": "us-east-1"})), "deep.json"), "alive"
    yield UNHEARD_OF, _nested(25, {"region": "us-east-1"}), "found"
    yield CONFIG_MAP, _config_map(json.dumps(_nested(500, {"region": "ap-south-1"})), "deep.json"), "clean"
    leaves = {f"key{n}": {"value": f"value-{n}", "enabled": True, "size": n} for n in range(7_000)}
    yield UNHEARD_OF, leaves, "clean"
    yield UNHEARD_OF, {**leaves, "last": {"endpoint": "https://queue.eu-west-1.amazonaws.com"}}, "found"
    yield UNHEARD_OF, {"hosts": [f"node-{n}.ap-south-1.compute.internal" for n in range(20_000)]}, "clean"


def _documents() -> Iterator[tuple[str, dict[str, Any], str]]:
    policy = "aws:iam/policy:Policy"
    yield policy, {"policy": _policy(5_000)}, "clean"
    queue = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sqs:*", "Resource": "*"}
    yield "aws:sqs/queuePolicy:QueuePolicy", {"queueUrl": "q", "policy": _policy(5_000, queue)}, "found"
    yield (
        LAMBDA,
        {"environment": {"variables": {"CONFIG": _wrapped_json(3, {"aws_region": "us-east-1"})}}},
        "found",
    )
    yield (
        LAMBDA,
        {"environment": {"variables": {"CONFIG": _wrapped_json(14, {"aws_region": "us-east-1"})}}},
        "alive",
    )
    yield SECRET, _secret({"a": _wrapped_base64(2, "region: us-east-1\nbucket: uploads\n")}), "found"
    yield SECRET, _secret({"a": _wrapped_base64(20, "region: us-east-1\nbucket: uploads\n")}), "alive"
    yield CONFIG_MAP, _config_map("[" * 200_000), "alive"
    yield CONFIG_MAP, _config_map('{"a":' * 100_000 + "1" + "}" * 100_000, "deep.json"), "alive"
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    laughs += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    yield CONFIG_MAP, _config_map(laughs, "laughs.yaml"), "alive"
    bomb = base64.b64encode(gzip.compress(b"\0" * (64 * MIB), mtime=0)).decode()
    yield (
        "aws:ec2/instance:Instance",
        {"ami": "ami-1", "instanceType": "t3.micro", "userDataBase64": bomb},
        "alive",
    )
    yield SECRET, _secret({"bomb": bomb}), "alive"


def _broken() -> Iterator[tuple[str, dict[str, Any], str]]:
    yield (
        SECRET,
        _secret({"a": "%%%", "b": base64.b64encode(b"\xff\xfe\x00us-east-1\xc3\x28").decode(), "c": "QUJ"}),
        "alive",
    )
    yield CONFIG_MAP, _config_map("region:\tus-east-1\n\t- : :\n  x: [\n", "broken.yaml"), "alive"
    yield (
        CONFIG_MAP,
        _config_map('{"region": "us-east-1", "region": "ap-south-1", "n": NaN, "m": 1e999}', "twice.json"),
        "alive",
    )
    yield (
        LAMBDA,
        {
            "environment": {
                "variables": {
                    "REGION": "us\u200b-east-1",
                    "HOST": "\uff55\uff53\uff0d\uff45\uff41\uff53\uff54",
                }
            }
        },
        "alive",
    )
    yield (
        LAMBDA,
        {"environment": {"variables": {"A": "\ufffd\ufffd\u202eus-east-1\u0000", "": "", "a.b.c": None}}},
        "alive",
    )
    yield LAMBDA, {"environment": ["not", "a", "map"], "layers": {"a": 1}, "tags": 7}, "alive"
    yield (
        "aws:sfn/stateMachine:StateMachine",
        {"definition": '{"StartAt": "A", "States": {"A": {"Resource": "arn:aws:lambda:us-'},
        "alive",
    )
    yield "aws:ecs/taskDefinition:TaskDefinition", {"family": "f", "containerDefinitions": "null"}, "clean"
    yield (
        "aws:ecs/taskDefinition:TaskDefinition",
        {"family": "f", "containerDefinitions": '[null, 1, "x", {"environment": {"A": "b"}}]'},
        "alive",
    )
    yield (
        "aws:s3/bucketPolicy:BucketPolicy",
        {"bucket": "b", "policy": '{"Statement": {"Principal": 5, "Effect": null}}'},
        "alive",
    )
    yield "aws:s3/bucketPolicy:BucketPolicy", {"bucket": "b", "policy": '[[["Principal"]]]'}, "alive"
    yield "kubernetes:helm.sh/v3:Release", {"chart": 7, "values": "a: b", "repositoryOpts": []}, "alive"
    yield (
        "gcp:storage/bucket:Bucket",
        {"name": "b", "location": ["US"], "labels": "x", "lifecycleRules": {"a": []}},
        "alive",
    )


def odd_cases() -> list[dict[str, Any]]:
    """Return the rows, with ids that stay the same as long as the order does."""
    makers = (_big_texts, _long_runs, _deep_and_wide, _documents, _broken)
    made = [shape for maker in makers for shape in maker()]
    return [
        {"id": f"X{number:03d}", "type": type_, "props": props, "want": want}
        for number, (type_, props, want) in enumerate(made, 1)
    ]
