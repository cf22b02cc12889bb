"""`tfret demo`."""

from __future__ import annotations

from tfretrieval.cli import study


def test_the_demo_compares_siamese_and_triplet_on_digits(tfret, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(study, "compare_models", lambda *arguments: calls.append(arguments) or ({"rows": []}, ""))
    assert tfret("demo", "--output", tmp_path / "demo", "--seed", 3, "--json").result == {"rows": []}
    ((source, plan, output),) = calls
    assert (source, output, plan.pca) == ("digits", tmp_path / "demo", 0.95)
    assert list(plan.configs) == ["siamese", "triplet"]
    assert {(config.image_size, config.epochs, config.seed) for config in plan.configs.values()} == {(32, 4, 3)}
