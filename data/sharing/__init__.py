"""Sets and answers for others to take: as Hugging Face datasets, and as packages for the hub."""
