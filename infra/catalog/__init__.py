"""GPU machines and their prices: tables of facts in `data/`, and the lookups on them.

A module is imported by its own name: who reads one table does not wait for the choosers.
"""
