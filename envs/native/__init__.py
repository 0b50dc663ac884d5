"""Steps games in C: nle's library called straight, in worker processes or in this one.

Compiled at first use (`build`), compared with the plain path before it is trusted (`check`).
`envs.implementations` chooses between the two.
"""
