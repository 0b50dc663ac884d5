"""Steps a batch of games in place: the batch, and the protocol of what steps them."""
