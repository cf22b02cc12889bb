"""Sections of a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tfretrieval.report.content import Drawing
from tfretrieval.report.sections import cost_section, data_section, model_sections
from tfretrieval.training.config import TrainConfig
from tfretrieval.visualize.neighbors import ImageRow, LabeledImage
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.index import IndexRequest

CONFIG = TrainConfig.for_recipe("triplet", epochs=3, validation_fraction=0.2)
IMAGE = LabeledImage(np.zeros((4, 4, 3), np.uint8), "sea")


def drawing(kind: str) -> Drawing:
    rows = [ImageRow([IMAGE, IMAGE])] if kind in ("neighbors", "hardest") else []
    return Drawing(kind, Path(f"{kind}.png"), f"Title of {kind}", f"Alt of {kind}", f"Caption of {kind}.", rows)


@pytest.fixture
def results(run, catalog):
    return {"knn": evaluate_run(run, catalog, IndexRequest("knn")).evaluation}


def test_each_drawing_is_in_its_section_with_its_own_title_and_caption(results):
    kinds = ("history", "pr", "confusion", "neighbors", "hardest", "umap")
    sections = {s.heading: s for s in model_sections(CONFIG, results, {kind: drawing(kind) for kind in kinds})}
    assert list(sections) == ["Training", "Results by class", "Neighbors", "Hardest queries", "Maps of the embedding"]
    titles = {heading: [figure.title for figure in s.figures] for heading, s in sections.items()}
    assert titles["Results by class"] == ["Title of pr", "Title of confusion"]
    assert titles["Training"] == ["Title of history"]
    assert sections["Results by class"].figures[0].alt == "Alt of pr"
    assert [rows.title for rows in sections["Neighbors"].figures] == ["Title of neighbors"]
    assert sections["Hardest queries"].figures[0].caption == "Caption of hardest."


def test_sections_without_content_are_omitted(results):
    assert [s.heading for s in model_sections(CONFIG, results, {})] == ["Training", "Results by class"]


def test_the_protocol_names_splits_and_model_selection(catalog):
    prose = data_section(CONFIG, catalog).prose
    assert "Queries are the split test" in prose
    assert "20% of each class" in prose
    alone = catalog.subset(np.flatnonzero(catalog.splits == "train"))
    assert "excluded from its own results" in data_section(replace(CONFIG, epochs=0), alone).prose


def test_costs_have_a_table_of_models_and_one_of_indexes(run, results):
    assert len(cost_section({"m": run}, {"m": results}).tables) == 2
