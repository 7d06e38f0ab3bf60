"""The programs of the pods: materialise, serve, compare. They import Feast, and never pulumi."""
