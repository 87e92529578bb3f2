"""What the product talks about: frozen values that refuse to be wrong. Pure; imports nothing of ours."""
