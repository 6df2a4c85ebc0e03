"""A headless SIP phone that follows a script and measures what a person would hear."""
