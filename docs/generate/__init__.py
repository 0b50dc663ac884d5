"""What the site takes from the code and from the repository's files when it is built."""
