# pyright: reportMissingImports=false
"""What SkyPilot reads of task files: run by the Python that it is installed in, which is not ours. Prints JSON."""

import json
import sys
from pathlib import Path

import sky
import yaml
from sky.utils import common_utils, schemas


def main(files: list[str]) -> None:
    """Read each task, and the settings beside it, as SkyPilot does before it starts anything."""
    for file in files:
        task = sky.Task.from_yaml(file)
        config = yaml.safe_load(Path(file).with_name(".sky.yaml").read_text())
        common_utils.validate_schema(config, schemas.get_config_schema(), "Invalid config: ")
        print(
            json.dumps(
                {
                    "infra": [resource.infra.to_str() for resource in task.resources],
                    "spot": [resource.use_spot for resource in task.resources],
                    "recovery": [resource.job_recovery for resource in task.resources],
                    "gpus": [resource.accelerators for resource in task.resources],
                    "nodes": task.num_nodes,
                    "serves": task.service is not None,
                }
            )
        )


if __name__ == "__main__":
    main(sys.argv[1:])
