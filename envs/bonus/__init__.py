"""Pays bonuses, which need no judge, beside the reward and the credit of a batch."""
