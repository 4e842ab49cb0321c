"""``parity models``: language models and what follows from their shape."""

from __future__ import annotations

import sys

from sim.commands.common import Profiles, Sources, catalogue, group

app = group("Language models and what follows from their shape.")


@app.command("list")
def models_list(profiles: Profiles = None) -> None:
    """List the models with their computed size."""
    from sim.views.listing import print_listing
    from sim.views.model_card import list_models

    print_listing(list_models(catalogue(profiles)), sys.stdout)


@app.command("show")
def models_show(id: str, sources: Sources = False, profiles: Profiles = None) -> None:
    """Show a model: parameters, work per token and cache, all computed from its shape."""
    from sim.views.listing import print_listing
    from sim.views.model_card import show_model

    for listing in show_model(catalogue(profiles), id, sources):
        print_listing(listing, sys.stdout)
