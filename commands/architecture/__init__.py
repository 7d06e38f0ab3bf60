"""The picture of `docs/architecture.md`: packages from the import contract, arrows from the imports themselves."""
