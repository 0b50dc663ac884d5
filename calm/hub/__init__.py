"""The Hugging Face hub: packages of agents, sets and answers, pushed and pulled as files."""
