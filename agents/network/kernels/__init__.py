"""Fast forms of layers and minibatches on the processor, equal to torch's own."""
