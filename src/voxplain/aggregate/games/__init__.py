"""Games whose players are regions: what every target owes to every region, exactly where that can be paid for."""

from voxplain.aggregate.games.owen import OwenGame, owen_game, owen_game_cost
from voxplain.aggregate.games.region import region_game, region_game_cost
from voxplain.aggregate.games.result import RegionGame

__all__ = ["OwenGame", "RegionGame", "owen_game", "owen_game_cost", "region_game", "region_game_cost"]
