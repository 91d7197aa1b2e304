"""Many runs of one recipe: compared on equal terms, or tuned."""
