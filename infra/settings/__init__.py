"""The settings of a stack: typed, with units, ranges and defaults; each is described where it is declared.

YAML is camelCase (`maxGpus`), Python is snake_case (`max_gpus`). `stack.Settings` is all of them; `reading` reads those
of a stack and refuses wrong ones. A module is imported by its own name, so that a fact of one is had without the models
of all.
"""
