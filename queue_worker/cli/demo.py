"""`queue-worker demo`: the main job from events to suggestions, on an embedded Postgres."""
import typer
def demo(context: typer.Context) -> None:
    """Soon."""
