"""Talks to one model at one address: transport, faults, pace, budget, price and abilities."""
