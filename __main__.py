"""The Pulumi program: settings in, platform out."""

import gc
import os

import pulumi

# A program lives for seconds and keeps nearly all that it makes: looking for cycles took a third of its time.
gc.disable()
# The SDK waits for the engine to take each debug message, four a resource; without `--debug` nobody reads them.
if "INDIA_AI_INFRA_DEBUG" not in os.environ:
    pulumi.log.debug = lambda *_args, **_options: None

import program  # noqa: E402
from infra.settings.errors import SettingsError  # noqa: E402

try:
    program.run()
except SettingsError as wrong:
    # Pulumi prints these words and no traceback: the fault is in the stack's file, not in the program.
    raise pulumi.RunError(str(wrong)) from None
