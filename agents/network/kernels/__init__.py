"""Computes layers and minibatches fast on the processor, with the same numbers as torch's own."""
