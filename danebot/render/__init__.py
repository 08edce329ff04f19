"""Values as lines for people, or as documents for programs."""
