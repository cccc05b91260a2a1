"""agent.leg, call.progress, call.ended -> screens; HTTP -> agent.state, agent.wrapup, campaign, document and stop topics."""
