"""Keeps the plans of the studies that have a name, and reads them."""
