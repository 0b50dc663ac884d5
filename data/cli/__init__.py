"""The commands of this layer, one file each."""
