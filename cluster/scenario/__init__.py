"""What to run: scenarios, cost profiles, and a setup made of them."""
