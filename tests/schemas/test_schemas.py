"""The check of custom resources finds what an API server would refuse, and what it would drop in silence."""

import pytest

from tests.schemas import validate

QUEUE = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue", "metadata": {"name": "gpus"}}


def test_a_right_resource_passes():
    validate(QUEUE | {"spec": {"clusterQueue": "gpus"}})


@pytest.mark.parametrize(
    ("spec", "mistake"),
    [
        ({"clusterqueue": "gpus"}, "clusterqueue"),
        ({"clusterQueue": "Not A Name"}, "Not A Name"),
        ({"clusterQueue": "gpus", "stopPolicy": "Maybe"}, "Maybe"),
    ],
)
def test_mistakes_are_named(spec, mistake):
    with pytest.raises(AssertionError, match=mistake):
        validate(QUEUE | {"spec": spec})


def test_whole_floats_of_the_wire_are_integers():
    spec = {
        "resourceGroups": [
            {
                "coveredResources": ["nvidia.com/gpu"],
                "flavors": [{"name": "l4", "resources": [{"name": "nvidia.com/gpu", "nominalQuota": 4.0}]}],
            }
        ]
    }
    validate(QUEUE | {"kind": "ClusterQueue", "spec": spec})
