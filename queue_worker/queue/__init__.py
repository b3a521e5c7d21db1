"""The one door to procrastinate: its app and job manager, the claim, the close, the client."""
