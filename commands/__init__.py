"""What a user types, a folder or a file for each make target."""
