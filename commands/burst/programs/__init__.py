"""Programs that run elsewhere, as they are: a worker of RunPod, an app of Modal."""
