"""What searches, hunts and shrinking came to."""
