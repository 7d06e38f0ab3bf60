"""The picture of `docs/architecture.md`: rooms from the import contract, arrows from the imports themselves."""
