"""Bonuses: pay that no judge is asked for, beside the reward and the credit of a batch."""
