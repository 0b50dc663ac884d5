"""Attends: softmax attention over tokens, with a bias and masks, quick where tokens are few.

`autograd` holds `attend`, differentiable; its kernel is in `native` (C), what it does elsewhere in
`plain` (torch), with the `weights` themselves.
"""

from agents.encoders.attend.autograd import attend
from agents.encoders.attend.plain import weights

__all__ = ["attend", "weights"]
