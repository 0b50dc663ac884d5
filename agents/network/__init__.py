"""The policy's network: from an observation's keys to features, through one of the encoders."""
