# SPDX-License-Identifier: MIT
"""Function entry and exit: what `calls` costs, beside others, event by event, and coming and going."""
import calls_attach
import calls_beside
import calls_counted


def report(python, venv, trapcost):
    """Markdown, and whether the promises were kept."""
    parts = [calls_beside.report(python, venv), calls_counted.report(python, trapcost),
             calls_attach.report(python)]
    return ('## Function entry and exit: `calls`\n\n' + '\n'.join(text for text, _ in parts),
            all(ok for _, ok in parts))
