"""The bar of an epoch."""

from __future__ import annotations

from tfretrieval.training.step_progress import StepProgress


def test_the_bar_moves_with_the_steps_and_closes(monkeypatch):
    import tfretrieval.progress

    monkeypatch.setattr(tfretrieval.progress.sys.stderr, "isatty", lambda: True, raising=False)
    progress = StepProgress(steps=3, epochs=2)
    progress.on_epoch_begin(0)
    for step in range(3):
        progress.on_train_batch_end(step)
    assert progress._bar.n == 3
    assert progress._bar.desc == "epoch 1/2"
    progress.on_epoch_end(0)
    assert progress._bar.disable
