"""Which documents are to be read again although their text is the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autograd_tour.integrations.sphinx.stamps import is_same
from autograd_tour.integrations.sphinx.state import KEYS, STAMPS, failures, shows_nothing, table

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

__all__ = ["outdated"]


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> Sequence[str]:
    """Documents whose blocks failed last time, or have no fresh records: they are read again."""
    if shows_nothing(app):
        return []
    broken = failures(env) & set(env.all_docs)
    stamps = table(env, STAMPS)
    doubtful = [name for name in table(env, KEYS) if name not in changed and not is_same(stamps.get(name))]
    if doubtful:
        from autograd_tour.integrations.sphinx.builds import has_records  # it loads what runs code

        broken |= {name for name in doubtful if not has_records(app, name)}
    return sorted(broken - removed - added)
