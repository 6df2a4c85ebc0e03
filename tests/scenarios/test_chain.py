"""What the chain of a call says of itself while people come, go and are put aside."""

from tests.scenarios.stage import Stage
from tests.scenarios.telephones import Exchange, Habit

ANNA = "sip:anna@pbx"


async def test_the_chain_prints_who_is_joined_and_how() -> None:
    exchange = Exchange({ANNA: Habit(0.5, says=5000, sample_rate_hz=16000)})
    async with Stage(dialler=exchange) as stage:
        await stage.talking()
        describe = stage.call.bridge.describe
        assert describe().startswith("leg caller 0/1 pcm@8000 <-> ")
        await stage.call.desk.bridge(ANNA, "listen", 10.0)
        both = "leg caller 0/1 pcm@8000 + person1 9/11 pcm@16000 <-> "
        assert describe().startswith(f"{both}(mix @16000) ")
        assert describe().endswith(" (listen)")
        stage.call.desk.hold(True)
        assert describe().startswith("leg caller 0/1 pcm@8000 held + person1 ")
        stage.call.desk.hold(False)
        await stage.later(500)
        await exchange.freeze()
        await stage.later(500)
        assert "(mix @16000; person1: repeated 1)" in describe(), "her phone sends nothing any more"
        exchange.go_on(ANNA)
        stage.call.desk.set_agent("away")
        assert describe().startswith(f"{both}(direct) agent away: ")
        exchange.phones[ANNA].leg.peer.hang_up()
        await stage.over()
