"""The networks: architecture, weights, engines, graphs, MTCNN's cascade, heat maps."""
