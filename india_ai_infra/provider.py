"""Lake and GpuCluster as a Pulumi component provider, for programs in any language; `components/` starts it."""

from __future__ import annotations

import sys
from importlib.metadata import version

import pulumi
from pulumi.errors import InputPropertiesError, InputPropertyErrorDetails
from pulumi.provider import ConstructResult
from pulumi.provider import main as serve
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.server import ComponentInitError

from india_ai_infra.checked import ArgumentsError
from india_ai_infra.gpu_cluster import GpuCluster
from india_ai_infra.lake import Lake

NAME = "india-ai-infra"


class Components(ComponentProvider):
    """Pulumi's own host of Python components (`component_provider_host`), but that wrong arguments are told without the
    lines of our code that found them."""

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: pulumi.Inputs,
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """Make a component, or tell which of its inputs are wrong."""
        try:
            return super().construct(name, resource_type, inputs, options)
        except ComponentInitError as error:
            if isinstance(error.inner, ArgumentsError):
                raise _wrong_inputs(error.inner) from None
            raise


def _wrong_inputs(error: ArgumentsError) -> InputPropertiesError:
    return InputPropertiesError(
        "",
        [
            InputPropertyErrorDetails(property_path=each.path, reason=str(each).strip())
            for each in error.problems
        ],
    )


def components(number: str) -> Components:
    """The provider at a version."""
    return Components([Lake, GpuCluster], NAME, version=number)


def main() -> None:
    """Serve the engine that started this process, until it ends it."""
    serve(components(version(NAME)), sys.argv[1:])
