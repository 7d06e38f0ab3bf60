"""`make burst`: a workload of a stack on rented machines or a serverless GPU, for a while."""
