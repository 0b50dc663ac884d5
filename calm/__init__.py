"""Credit assignment with language models: words in, judgement out."""

__version__ = "0.1.0"
