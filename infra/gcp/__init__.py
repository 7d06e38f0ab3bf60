"""The platform on Google Cloud, one component a file, beside `infra.aws`."""
