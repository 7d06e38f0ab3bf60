"""A classifier by BentoML: `component` deploys it, `service` is the program, which a team makes its own."""
