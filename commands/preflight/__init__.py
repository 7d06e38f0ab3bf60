"""What must be true of a real account before a stack's first `pulumi up`: quotas, regions, zones, rights, leftovers."""
