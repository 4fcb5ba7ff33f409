"""What becomes of cells: written, stuck, varied, aged, warm, read. One law a file; SI units."""

from mcc.runtime.devices.cells import Cells as Cells
from mcc.runtime.devices.cells import Read as Read
from mcc.runtime.devices.cells import check_siemens as check_siemens
from mcc.runtime.devices.conditions import NOW as NOW
from mcc.runtime.devices.conditions import Conditions as Conditions
from mcc.runtime.devices.states import target_siemens as target_siemens
from mcc.runtime.devices.states import unit_siemens as unit_siemens
