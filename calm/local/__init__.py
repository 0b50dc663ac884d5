"""Language models whose weights lie on this machine: where they come from, and who serves them."""
