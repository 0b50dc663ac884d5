"""Players that only `agents` can make: they need training, or the tasks of this layer.

`envs.players` holds those that need neither; the builder of the labelled sets gives both to
`envs.collect.play`, which takes any player.
"""
