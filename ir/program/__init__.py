"""The program language: instructions of the cores, and the tables and memories they use."""

from mcc.ir.program.events import Events as Events
from mcc.ir.program.instructions import INSTRUCTIONS as INSTRUCTIONS
from mcc.ir.program.program import Program as Program
from mcc.ir.program.program import count_events as count_events
from mcc.ir.program.program import trip_counts as trip_counts
from mcc.ir.program.streams import DType as DType
from mcc.ir.program.streams import Stream as Stream
from mcc.ir.program.tables import Constant as Constant
from mcc.ir.program.tables import HostCall as HostCall
from mcc.ir.program.tables import Image as Image
from mcc.ir.program.tables import Region as Region
from mcc.ir.program.tables import Tile as Tile
from mcc.ir.program.tables import pack_flips as pack_flips
from mcc.ir.program.topology import Topology as Topology
from mcc.ir.program.topology import topology as topology
from mcc.ir.program.units import HOST as HOST
from mcc.ir.program.units import MOVER as MOVER
from mcc.ir.program.units import VECTOR as VECTOR
from mcc.ir.program.units import Unit as Unit
from mcc.ir.program.units import array as array
