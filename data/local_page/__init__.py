"""Pages that this machine serves to itself alone: the labelling page, and the page that watches."""
