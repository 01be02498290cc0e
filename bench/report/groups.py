"""Groups of answers, in the order in which the list of questions and the menu show them. Pure."""

from __future__ import annotations

# Value of ``group`` in an answer's front matter -> its heading. The values are permanent: anchors are made of them.
GROUPS = {
    "start": "Start here",
    "speed": "How much faster",
    "slower": "The GPU is slower, or not used",
    "memory": "Memory, batch and precision",
    "recurrent": "Recurrent networks and frameworks",
    "cpu": "The CPU side",
    "hardware": "Which hardware",
    "money": "Money and energy",
    "measuring": "Measuring properly",
}
# Value of ``where`` in an answer's front matter -> who can measure what it asks.
WHERE = {"here": "anyone", "contributors": "owners of it", "documents": "a cited fact"}
UNGROUPED = "More questions"


def place(group: str) -> int:
    """A group's place in the list; unknown and empty ones come last."""
    return list(GROUPS).index(group) if group in GROUPS else len(GROUPS)


def heading(group: str) -> str:
    """A group's heading."""
    return GROUPS.get(group, UNGROUPED)
