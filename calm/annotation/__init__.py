"""Annotates with a judge: many transitions once, or one at a time while an agent trains."""
