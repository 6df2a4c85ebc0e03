"""People as parties of a call: who is there, ringing them, and the line to the page they answer on."""
