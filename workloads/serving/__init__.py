"""Model serving: `component` deploys vLLM, which is the program."""
