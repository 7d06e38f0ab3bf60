"""What a stack costs, in rupees, from the graph of resources that the engine registers."""
