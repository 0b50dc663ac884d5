"""Puts what a step changed into words, and draws the screens that a judge may read instead."""
