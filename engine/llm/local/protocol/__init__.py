"""The embedded model's OpenAI-compatible endpoint: HTTP, and tools as one JSON schema."""
