"""Steps that a variant could get wrong, as switches, and the real bugs they resemble."""
