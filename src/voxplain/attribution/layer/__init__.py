"""What a layer or a neuron inside the network carries of the score."""
