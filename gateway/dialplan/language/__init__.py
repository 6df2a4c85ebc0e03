"""What the words of a dialplan file mean: patterns, hours, lists, variables. Pure."""
