"""What runs on the GPUs of a stack, a folder for each workload."""
