"""Trainings on a cluster of machines by Ray (extra `cluster`): the same dictionaries, by many hands.

A training's layers are cut into groups, one worker each, and no forward pass is done twice: whoever has time computes
the next forward batch and hands every group its part (exchange, shared_forward). Workers beyond the layers only
compute. Each group judges all of the corpus in its order, so its dictionaries are those of a training alone, to the
bit where all compute with the same number of threads on processors of one kind. Another kind's activations differ in
their last bits, and a token whose error lies as near to the threshold as that may be judged otherwise. Ray is loaded
when a training begins, not before.
"""

from itda_core.runs.cluster.driver import run, train_all

__all__ = ["run", "train_all"]
