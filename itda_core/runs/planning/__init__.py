"""What a training would cost, before anything of the model is loaded."""

from itda_core.runs.planning.machines import GPUS, PlannedMachine, named_machine
from itda_core.runs.planning.plan import Hardware, Plan, plan
from itda_core.runs.planning.report import plan_lines
from itda_core.runs.planning.ways import Way

__all__ = ["GPUS", "Hardware", "Plan", "PlannedMachine", "Way", "named_machine", "plan", "plan_lines"]
