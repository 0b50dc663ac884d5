"""Steps a batch of games in place: the batch, the protocol of a backend, and the one in Python."""
