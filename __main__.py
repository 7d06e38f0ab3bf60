"""The Pulumi program: settings in, platform out."""

import pulumi

import program
from infra.settings.errors import SettingsError

try:
    program.run()
except SettingsError as wrong:
    # Pulumi prints these words and no traceback: the fault is in the stack's file, not in the program.
    raise pulumi.RunError(str(wrong)) from None
