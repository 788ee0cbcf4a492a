"""Trainings on a cluster of machines by Ray (extra `cluster`), which give the same dictionaries.

A training's layers are cut into groups, one worker each, and no forward pass is done twice: an idle worker computes
the next forward batch and hands every group its part (exchange, shared_forward). Workers beyond the layers only
compute. Each group judges all of the corpus in its order, so its dictionaries are those of a training alone, to the
bit where all compute with the same number of threads on processors of one kind. Another kind's activations differ in
their last bits, so that a token whose error is that close to the threshold may be judged differently. Ray is loaded
when a training begins.
"""

from itda_core.runs.cluster.driver import run, train_all

__all__ = ["run", "train_all"]
