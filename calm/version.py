"""The version of this package, for those who must not load its public face for it."""

VERSION = "0.1.0"
