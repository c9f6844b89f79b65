"""What others use to tag texts with the same weights, each a command that writes its Turn."""
