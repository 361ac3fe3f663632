"""The provider border: our words on this side, theirs on the other."""
