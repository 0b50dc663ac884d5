"""Puts what a step changed into words, or its screens into text: what a judge reads."""
