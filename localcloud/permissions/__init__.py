"""Whether a call that a pod makes would be allowed on the real cloud, by the policies that a stack renders."""
