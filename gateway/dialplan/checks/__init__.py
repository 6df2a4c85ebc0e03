"""What can be wrong with a plan as a whole. Pure."""
