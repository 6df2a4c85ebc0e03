"""What can be wrong with a plan whose files are each well written. Pure."""
