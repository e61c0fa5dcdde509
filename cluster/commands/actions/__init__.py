"""What commands do once their options are known, as far as no room below does it."""
