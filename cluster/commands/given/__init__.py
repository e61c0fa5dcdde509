"""What is given on the command line, made into what the rooms of `cluster` take."""
