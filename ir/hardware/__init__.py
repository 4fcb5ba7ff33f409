"""The hardware language: what a target is, how its file is read, how its cells hold weights."""

from mcc.ir.hardware.loading import files_of as files_of
from mcc.ir.hardware.loading import load_target as load_target
from mcc.ir.hardware.quantities import Kind as Kind
from mcc.ir.hardware.quantities import Quantity as Quantity
from mcc.ir.hardware.schema import Adc as Adc
from mcc.ir.hardware.schema import Area as Area
from mcc.ir.hardware.schema import Cell as Cell
from mcc.ir.hardware.schema import Chip as Chip
from mcc.ir.hardware.schema import Core as Core
from mcc.ir.hardware.schema import Encoding as Encoding
from mcc.ir.hardware.schema import Energy as Energy
from mcc.ir.hardware.schema import Feed as Feed
from mcc.ir.hardware.schema import Host as Host
from mcc.ir.hardware.schema import IdleRows as IdleRows
from mcc.ir.hardware.schema import InputForm as InputForm
from mcc.ir.hardware.schema import Macro as Macro
from mcc.ir.hardware.schema import Memory as Memory
from mcc.ir.hardware.schema import RangePolicy as RangePolicy
from mcc.ir.hardware.schema import Selector as Selector
from mcc.ir.hardware.schema import VectorCycles as VectorCycles
from mcc.ir.hardware.schema import VectorUnit as VectorUnit
from mcc.ir.hardware.schema import Wires as Wires
from mcc.ir.hardware.target import Target as Target
from mcc.ir.hardware.target import target_from_dict as target_from_dict
from mcc.ir.hardware.text import resolved_text as resolved_text
