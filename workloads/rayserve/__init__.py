"""A classifier by Ray Serve on KubeRay: `component` deploys it, `app` is the program, which a team makes its own."""
