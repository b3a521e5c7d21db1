"""A content generator without any intelligence: it fills in a template."""

from __future__ import annotations

from queue_worker.jobs.generator import GenerationRequest

_ADVICE = {
    "falling_engagement": "Say in the first sentence what the reader will be able to do.",
    "falling_completion": "Split it into parts that take five minutes each.",
    "falling_score": "Put a worked example before every question.",
    "unusual_drop_off": "Look for a broken link or a missing picture near the top.",
}


def generate(request: GenerationRequest) -> str:
    """A draft for the content, with the reason why it is needed."""
    return (
        f"# {request.content_id}, a new draft\n\n"
        f"Why: {request.summary}.\n\n"
        f"What to change: {_ADVICE[request.kind]}\n"
    )
