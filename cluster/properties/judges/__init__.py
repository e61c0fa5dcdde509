"""What each message and fact of a run means, and which promises it breaks."""
