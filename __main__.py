"""The Pulumi program: settings in, platform out."""

from infra import program

program.run()
