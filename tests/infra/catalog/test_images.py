"""The matrix of images holds against the tables that it speaks of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.catalog.images import image, images
from infra.catalog.kubernetes_versions import kubernetes_versions
from infra.catalog.tables import CatalogError
from infra.platform.charts import charts
from workloads.training import component as training

# NVIDIA's driver branches and the newest CUDA that each runs: CUDA Toolkit release notes, table of drivers.
NEWEST_CUDA = {"550": "12.4", "570": "12.8", "580": "13.0", "590": "13.1"}


def test_every_kubernetes_version_of_eks_has_its_image():
    said = {row.kubernetes: row.image for row in images() if row.cloud == "aws"}
    assert said == {name: version.ami_release for name, version in kubernetes_versions().items()}


def test_the_operator_is_the_chart_that_is_installed():
    assert {row.gpu_operator for row in images() if row.cloud == "aws"} == {charts()["gpu-operator"].version}


@pytest.mark.parametrize("row", images(), ids=lambda row: f"{row.cloud}-{row.kubernetes}")
def test_cuda_is_what_the_driver_branch_runs(row):
    assert row.cuda == NEWEST_CUDA[row.driver]


def test_the_training_image_is_of_a_major_version_that_the_driver_runs():
    found = re.search(r"cuda(\d+)\.", Path(training.__file__).with_name("Dockerfile").read_text())
    assert found
    assert {int(found[1])} >= {int(row.cuda.split(".")[0]) for row in images()}


def test_a_version_without_a_row_is_named():
    with pytest.raises(CatalogError, match=r"no aws image for Kubernetes 1\.20: there are aws 1\.34"):
        image("aws", "1.20")
