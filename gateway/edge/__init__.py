"""The parent process: owns the public ports, sends SIP to the cards, starts and restarts the others."""
