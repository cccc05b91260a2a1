"""agent.leg, call.progress, call.ended -> screens; HTTP -> agent.state, agent.wrapup, campaigns, documents, stops."""
