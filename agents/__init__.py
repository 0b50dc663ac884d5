"""Agents that see NetHack through attention encoders and learn from reward plus judged credit."""
