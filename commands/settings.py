"""`make settings`: writes what is made from the models of the settings."""

from __future__ import annotations

from infra.settings.generate import generated


def settings() -> None:
    """Write the schema of stack files, the list in docs/settings.md and the `config` of Pulumi.yaml."""
    for file, text in generated().items():
        file.write_text(text, encoding="utf-8")
