"""The programs of a golden set. They import no Pulumi."""
