"""A day, replayed: a trace of jobs and replicas on a stack's pools, with real Karpenter and the real scheduler."""
