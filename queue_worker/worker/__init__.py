"""The worker process: it claims runs, carries them out, closes them, and stays alive."""
