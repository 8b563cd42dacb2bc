"""What computes the networks: Keras, ONNX Runtime or OpenVINO, and the graph files that the latter two read."""
