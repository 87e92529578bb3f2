"""What may be asked of us; the only writers of desired state, whoever asks."""
