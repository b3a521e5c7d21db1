"""The worker process: claims runs, carries them out, closes them, and stays alive while doing so."""
