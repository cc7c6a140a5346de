"""Pictures of models, and of what they see in data."""
