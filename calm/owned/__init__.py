"""What asks through an owner of questions, see `calm.owner`: address, wire, connection, client."""
