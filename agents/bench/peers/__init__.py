"""Other people's training libraries on the work of `calm bench train`."""
