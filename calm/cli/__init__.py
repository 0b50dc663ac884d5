"""The `calm` command and the commands of this layer, one file each."""
